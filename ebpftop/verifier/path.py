"""The way the verifier went to an instruction, followed backwards through its log.

A log is not in the order of execution: where the verifier comes back to the other side of a branch, it says `from 8 to
14:`, and what led there is whatever led to instruction 8. At log level 1 that stands right above, as the kernel takes
finished paths out; at level 2 they stand between, and are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ebpftop.verifier.instruction import SHOWN, Instruction, decode

LOOK_BACK = 10_000  # lines: more would only make a reader wait, as chains are short
_FROM = re.compile(r"\s*from (\d+) to (\d+)")


@dataclass(frozen=True, slots=True)
class Visit:
    """One instruction on the way. line: where the log shows it, counted from 0. follows: the line of what comes next
    on the way. state: the line `from X to Y:` if the way goes on there, "" if not. depth: how many calls deeper than
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
            if not lines[branch].rstrip().endswith(") exit"):  # which returns to the caller: told right above
                number, state = branch + 1, line
        elif line.lstrip().startswith("returning from callee"):
            depth, after = depth + 1, None
        elif line.lstrip().startswith("callee:"):
            depth, after = depth - 1, None
        number -= 1


def _branch(lines: Sequence[str], at: int, first: int, insn: str) -> int | None:
    """Where the log shows the branch that line `at` comes back to: each coming back belongs to the latest visit that
    none has come back to yet.
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
