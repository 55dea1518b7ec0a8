"""Follows the path by which the verifier reached an instruction backwards through its log.

A log is not in the order of execution: when the verifier returns to the other side of a branch, it writes `from 8 to
14:`, and the path there is the one to instruction 8. At log level 1 that is right above, because the kernel removes
finished paths; at level 2 finished paths are in between, and are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ebpftop.verifier.instruction import SHOWN, Instruction, decode

_FRAME = re.compile(r"(?:^|[:;]) *frame ?(\d+): |(?:^|\) .*; | )R\d+(?:_\w+)?=")
LOOK_BACK = 10_000  # lines: a longer search would only delay the answer, because chains are short
_FROM = re.compile(r"\s*from (\d+) to (\d+)")


@dataclass(frozen=True, slots=True)
class Visit:
    """One instruction on the path. line: where the log shows it, counted from 0. follows: the line of the next one on
    the path. state: the line `from X to Y:` if the path continues there, else "". depth: how many calls deeper than
    where the walk began; negative in a caller.
    """

    line: int
    insn: int
    does: Instruction
    follows: int
    state: str
    taken: bool
    depth: int


def back(lines: Sequence[str], at: int) -> Iterator[Visit]:
    """The instructions that led to the one in line `at`, the nearest first."""
    shown = SHOWN.match(lines[at])
    after = int(shown[1]) if shown else None
    depth, follows, number, state = 0, at, at - 1, ""
    first = max(0, at - LOOK_BACK)
    while number >= first:
        line = lines[number]
        if found := SHOWN.match(line):
            does, insn = decode(found[2]), int(found[1])
            taken = bool(state) or (does.op == "branch" and after is not None and after != insn + 1)
            yield Visit(number, insn, does, follows, state, taken, depth)
            after, follows, state = insn, number, ""
        elif arrived := _FROM.match(line):
            branch = _branch(lines, number, first, arrived[1])
            if branch is None:
                return
            if not lines[branch].rstrip().endswith(") exit"):  # a return to the caller, which is right above
                number, state = branch + 1, line
        elif line.lstrip().startswith("returning from callee"):
            depth, after = depth + 1, None
        elif line.lstrip().startswith("callee:"):
            depth, after = depth - 1, None
        number -= 1


def in_called(lines: Sequence[str], at: int) -> bool:
    """Whether the instruction in line `at` belongs to a function that the program calls: the nearest state above says
    so by `frame1:`.
    """
    for number in range(at, max(-1, at - LOOK_BACK), -1):
        line = lines[number].lstrip()
        if line.startswith(("returning from callee", "to caller")):
            return False
        if line.startswith("callee:"):
            return True
        if not line.startswith(";") and (state := _FRAME.search(line)):
            return bool(state[1])
    return False


def _branch(lines: Sequence[str], at: int, first: int, insn: str) -> int | None:
    """The line of the branch that line `at` returns to: each return belongs to the latest visit without a return so
    far.
    """
    shown, returned, waiting = f"{insn}: (", f"from {insn} to ", 1
    for number in range(at - 1, first - 1, -1):
        line = lines[number].lstrip()
        if line.startswith(shown):
            waiting -= 1
            if not waiting:
                return number
        elif line.startswith(returned):
            waiting += 1
    return None
