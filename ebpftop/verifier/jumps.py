"""Where to look next in a log: the instruction that wrote a register, and the last branch before this one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ebpftop.verifier.instruction import CLOBBERED, SHOWN, Instruction, decode
from ebpftop.verifier.path import Visit, back
from ebpftop.verifier.step import Step

FRAME = "R10"  # never written
_REGISTER = re.compile(r"\bR\d\b")


def needed(lines: Sequence[str], at: int, complaint: str = "") -> str:
    """The register to follow: the one that the error message names, else the first that the instruction in line `at`
    uses, "" if it uses none. For an error about arithmetic, it is the operand that is added.
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
    """The line where a register was last written before line `at`; None if no line shows it, for example for the
    program's own arguments.
    """
    return next((visit.line for visit in back(lines, at) if visit.depth <= 0 and register in _writes(visit.does)), None)


def branched(lines: Sequence[str], at: int) -> Visit | None:
    """The last branch before line `at`."""
    return next((visit for visit in back(lines, at) if visit.depth <= 0 and visit.does.op == "branch"), None)


def _writes(does: Instruction) -> frozenset[str]:
    return CLOBBERED | {"R0"} if does.op == "call" else frozenset({does.target})


def step_before(chain: Sequence[Step], insn: int | None) -> Step | None:
    """The step before this instruction in the chain that led to a failure; None if the instruction isn't a step, or is
    the first.
    """
    numbered = [step for step in chain if step.insn is not None]
    at = next((at for at in range(len(numbered) - 1, 0, -1) if numbered[at].insn == insn), None)
    return None if at is None else numbered[at - 1]


def last_shown(lines: Sequence[str], at: int, insn: int | None) -> int:
    """The last line before `at` that shows an instruction; `at` if none does."""
    return next((n for n in range(at - 1, -1, -1) if (m := SHOWN.match(lines[n])) and int(m[1]) == insn), at)
