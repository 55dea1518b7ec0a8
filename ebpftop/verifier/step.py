"""One step of what led to a refusal."""

from __future__ import annotations

from dataclasses import dataclass

from ebpftop.verifier.rules.model import Fault
from ebpftop.verifier.source import Place


@dataclass(frozen=True, slots=True)
class Step:
    """insn and text: the instruction as the log shows it, None and "" where there is no single one. why: what it did,
    in words. place: the author's line it came from, None where the log quotes none. took: of a call that took a pointer
    away, what the verifier knew of that before; else "". checked: of a branch that compares another copy of a pointer
    with NULL, that register. lost: in sentences, how knowledge that a reader relies on was lost; fault: whose it is.
    """

    insn: int | None
    text: str
    why: str
    place: Place | None = None
    took: str = ""
    checked: str = ""
    lost: str = ""
    fault: Fault = "unknown"
