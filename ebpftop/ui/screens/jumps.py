"""Where to look next in a log: the instruction that wrote what this one needs, and the branch on the way to it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ebpftop.verifier.instruction import CLOBBERED, SHOWN, Instruction, decode
from ebpftop.verifier.path import Visit, back

FRAME = "R10"  # which nothing writes
_REGISTER = re.compile(r"\bR\d\b")


def needed(lines: Sequence[str], at: int, complaint: str = "") -> str:
    """The register to ask about: the one a complaint names, else the first that the instruction in line `at` uses;
    "" where it uses none. Where arithmetic is complained of, it is what is added that matters.
    """
    if named := _REGISTER.search(complaint):
        return named[0]
    shown = SHOWN.match(lines[at])
    if shown is None:
        return ""
    does = decode(shown[2])
    uses = [does.source, *does.uses] if complaint and does.op == "arithmetic" else does.uses
    return next((name for name in uses if name.startswith("R") and name != FRAME), "")


def written(lines: Sequence[str], at: int, register: str) -> int | None:
    """The line that shows where a register was written last on the way to line `at`; None where none does, such as for
    what the program was called with.
    """
    return next((visit.line for visit in back(lines, at) if visit.depth <= 0 and register in _writes(visit.does)), None)


def branched(lines: Sequence[str], at: int) -> Visit | None:
    """The last branch on the way to line `at`."""
    return next((visit for visit in back(lines, at) if visit.depth <= 0 and visit.does.op == "branch"), None)


def _writes(does: Instruction) -> frozenset[str]:
    return CLOBBERED | {"R0"} if does.op == "call" else frozenset({does.target})
