"""Reads what the verifier knew of registers and stack slots from the lines of its log.

A state is `R0=scalar(umax=7) R10=fp0 fp-8=0000????`. It is alone in a line, after a number of its own (`3: R0_w=inv7`,
kernel 5.15), after `from 3 to 9:`, or after an instruction's `;`, where it contains only what that instruction changed
(6.0 and newer). Sources: print_verifier_state in kernel/bpf/verifier.c (5.15) and kernel/bpf/log.c.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ebpftop.verifier.instruction import CLOBBERED, SHOWN, decode

LOOK_BACK = 2_000  # lines
# While the verifier tracks back which numbers must be known precisely, it writes states of parents: kernels 5.3 to 5.15
# in a separate line before `parent …`, newer ones after it.
_OF_PARENT = ("parent ", "mark_precise:", "last_idx", "regs=")
_NAME = re.compile(r"(?<![\w-])(R\d{1,2}|fp-\d{1,4})(?:_[a-zA-Z]+)?=")
_STATE = re.compile(r"\s*(?:\d+: |from \d+ to \d+[^:]*: ?|frame\s?\d+: ?)*(?:frame\s?\d+: ?)?(?:R\d|fp-)\w*=")


def known_before(lines: Sequence[str], at: int) -> dict[str, str]:
    """Register or stack slot → its value, in the verifier's words, before the instruction in line `at` (from 0).

    Registers that a call left without a value are absent, as are those written since their last state: 5.15 shows
    states only at branches, unless a higher log level is set.
    """
    known: dict[str, str] = {}
    lost: set[str] = set()
    for number in range(at - 1, max(0, at - LOOK_BACK) - 1, -1):
        line = lines[number]
        found = {} if tracks(lines, number) else read(line)
        for name, value in found.items():
            if name not in lost:
                known.setdefault(name, value)
        if "R10" in found and is_state(line):
            break
        if shown := SHOWN.match(line):
            does = decode(shown[2])
            written = CLOBBERED | {"R0"} if does.op == "call" else {does.target}
            lost |= written - known.keys()
    return dict(sorted(known.items(), key=_place))


def last_known(lines: Sequence[str], at: int, name: str) -> str:
    """The result of `known_before` for one register or slot, "" for nothing; many times faster than for all."""
    writes = (f"(r10 {name[2:]}) =",) if name.startswith("fp") else (f") r{name[1:]} ", f") w{name[1:]} ")
    if name == "R0" or name in CLOBBERED:
        writes = (*writes, ") call ")
    for number in range(at - 1, max(0, at - LOOK_BACK) - 1, -1):
        line = lines[number]
        if tracks(lines, number):
            continue
        if (f"{name}=" in line or f"{name}_" in line) and (value := read(line).get(name)) is not None:
            return value
        if ("R10=" in line and is_state(line)) or any(write in line for write in writes):
            break
    return ""


def known_after(lines: Sequence[str], at: int) -> dict[str, str]:
    """What the log shows about registers and slots right after the instruction in line `at`, before the next one."""
    known = read(lines[at])
    for line in lines[at + 1 : at + 4]:
        if not is_state(line) or line.lstrip().startswith("from "):
            break
        known |= read(line)
    return known


def tracks(lines: Sequence[str], at: int) -> bool:
    """Whether a line is part of backtracking, so that its states aren't those of this place in the log."""
    line = lines[at].lstrip()
    if line.startswith(_OF_PARENT):
        return True
    return line[:1] in "Rf" and lines[at + 1 : at + 2] != [] and lines[at + 1].lstrip().startswith("parent ")


def is_state(line: str) -> bool:
    """Whether a line is a state and not an instruction."""
    return _STATE.match(line) is not None


def read(line: str) -> dict[str, str]:
    """The registers and slots in a line, each with its value; {} for a line without any.

    A value ends at the first blank outside of parentheses, so the time grows with the line's length alone.
    """
    found: dict[str, str] = {}
    match = _NAME.search(line)
    while match:
        end = _end(line, match.end())
        found[match[1]] = line[match.end() : end]
        match = _NAME.search(line, max(end, match.end()))
    return found


def _end(line: str, start: int) -> int:
    depth = 0
    for at in range(start, len(line)):
        match line[at]:
            case "(":
                depth += 1
            case ")":
                depth -= 1
            case " " | "\t" if depth <= 0:
                return at
    return len(line)


def _place(item: tuple[str, str]) -> tuple[bool, int]:
    """A sort key: registers by number, then the stack downwards."""
    name = item[0]
    return name.startswith("fp"), int(name.removeprefix("fp-").removeprefix("R"))
