"""What the verifier knew of registers and stack slots: read from the lines of its log.

A state is `R0=scalar(umax=7) R10=fp0 fp-8=0000????`, alone in a line, behind a number of its own (`3: R0_w=inv7`,
kernel 5.15), behind `from 3 to 9:`, or behind an instruction's `;`, where it holds only what that instruction changed
(6.0 and newer). Sources: print_verifier_state in kernel/bpf/verifier.c (5.15) and kernel/bpf/log.c.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ebpftop.verifier.instruction import CLOBBERED, SHOWN, decode

LOOK_BACK = 2_000  # lines
# While the verifier tracks back which numbers must be known precisely, it writes states of parents: kernels 5.3 to 5.15
# in a line of their own before `parent …`, newer ones behind it.
_OF_PARENT = ("parent ", "mark_precise:", "last_idx", "regs=")
_NAME = re.compile(r"(?<![\w-])(R\d{1,2}|fp-\d{1,4})(?:_[a-zA-Z]+)?=")
_STATE = re.compile(r"\s*(?:\d+: |from \d+ to \d+[^:]*: ?|frame\s?\d+: ?)*(?:frame\s?\d+: ?)?(?:R\d|fp-)\w*=")


def known_before(lines: Sequence[str], at: int) -> dict[str, str]:
    """Register or stack slot → what it holds, in the verifier's words, before the instruction in line `at` (from 0).

    Absent is what a call left without a value, and what was written since it was last told of: 5.15 tells of states
    only at branches, unless asked for more.
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
    """What `known_before` says of one register or slot, "" for nothing; many times faster than asking it for all."""
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
    """What the log says of registers and slots right after the instruction in line `at`, before the next one."""
    known = read(lines[at])
    for line in lines[at + 1 : at + 4]:
        if not is_state(line) or line.lstrip().startswith("from "):
            break
        known |= read(line)
    return known


def tracks(lines: Sequence[str], at: int) -> bool:
    """Whether a line is part of tracking back: no state in it is that of where the log is."""
    line = lines[at].lstrip()
    if line.startswith(_OF_PARENT):
        return True
    return line[:1] in "Rf" and lines[at + 1 : at + 2] != [] and lines[at + 1].lstrip().startswith("parent ")


def is_state(line: str) -> bool:
    """Whether a line is a state and no instruction."""
    return _STATE.match(line) is not None


def read(line: str) -> dict[str, str]:
    """The registers and slots that a line tells of, each with its value; of a line without any, {}.

    A value ends at the first blank outside of parentheses, so the time is that of going through the line once.
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
    """Registers by number, then the stack downwards."""
    name = item[0]
    return name.startswith("fp"), int(name.removeprefix("fp-").removeprefix("R"))
