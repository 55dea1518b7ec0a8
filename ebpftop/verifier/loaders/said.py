"""What a loader's line means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ebpftop.verifier.rules.model import Fault, Kind


@dataclass(frozen=True, slots=True)
class Said:
    """kind: "unknown" where only a log could tell more. decides: whether it counts more than a complaint that no rule
    knows: a log cut off by the loader's buffer ends in any line. of_map: what is wrong is a map.
    """

    kind: Kind | Literal["unknown"]
    explanation: str
    fix: str | None = None
    fault: Fault = "unknown"
    decides: bool = False
    of_map: bool = False
