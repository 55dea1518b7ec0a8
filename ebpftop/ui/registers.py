"""What the verifier knew before an instruction, gathered from the lines of its log above it."""

from __future__ import annotations

import re
from collections.abc import Sequence

LOOK_BACK = 2_000  # lines
_VALUE = re.compile(r"(?<![\w-])(R\d+|fp-\d+)(?:_[a-zA-Z]+)?=((?:[^\s()]|\((?:[^()]|\([^()]*\))*\))+)")
_WHOLE = re.compile(r"\s*(?:\d+: (?!\()|from \d+ to \d+)")  # `0: R1=ctx() R10=fp0`: all there is, not what changed


def known_before(lines: Sequence[str], at: int) -> dict[str, str]:
    """Register or stack slot → what it holds, in the verifier's words, before the instruction in line `at` (from 0)."""
    known: dict[str, str] = {}
    for line in reversed(lines[max(0, at - LOOK_BACK) : at]):
        for name, value in _VALUE.findall(line):
            known.setdefault(name, value)
        if _WHOLE.match(line) and _VALUE.search(line):
            break
    return dict(sorted(known.items(), key=_place))


def _place(item: tuple[str, str]) -> tuple[bool, int]:
    """Registers by number, then the stack downwards."""
    name = item[0]
    return name.startswith("fp"), int(name.removeprefix("fp-").removeprefix("R"))
