"""The meaning of a loader's line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ebpftop.verifier.rules.model import Fault, Kind


@dataclass(frozen=True, slots=True)
class Meaning:
    """kind: "unknown" if only a log could say more. decides: whether it takes precedence over an error message that no
    rule knows: a log cut off by the loader's buffer may end in any line. of_map: whether the failure is about a map.
    """

    kind: Kind | Literal["unknown"]
    explanation: str
    fix: str | None = None
    fault: Fault = "unknown"
    decides: bool = False
    of_map: bool = False
