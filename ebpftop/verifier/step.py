"""One step on the way to a rejection."""

from __future__ import annotations

from dataclasses import dataclass

from ebpftop.verifier.rules.model import Fault
from ebpftop.verifier.source import Place


@dataclass(frozen=True, slots=True)
class Step:
    """insn and text: the instruction as the log shows it, None and "" if there is no single one. why: what it did, in
    words. place: the author's line it came from, None if the log quotes none. took: for a call that invalidated a
    pointer, what the verifier knew about it before; else "". checked: for a branch that compares another copy of a
    pointer with NULL, that register. lost: in sentences, how a bound or check was lost; fault: what caused the loss.
    """

    insn: int | None
    text: str
    why: str
    place: Place | None = None
    took: str = ""
    checked: str = ""
    lost: str = ""
    fault: Fault = "unknown"
