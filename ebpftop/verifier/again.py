"""Finds values that were checked, and then read from memory again."""

from __future__ import annotations

from collections.abc import Sequence

from ebpftop.verifier.instruction import CLOBBERED
from ebpftop.verifier.path import Visit, back

MOST = 200  # instructions before the second load


def checked_before(lines: Sequence[str], load: Visit) -> tuple[Visit, Visit] | None:
    """An earlier load from the same place as `load`, and a branch in between that tests its result; None if there is
    none.
    """
    tests: dict[str, Visit] = {}
    same = _place(load)
    for number, visit in enumerate(back(lines, load.line)):
        does = visit.does
        if number >= MOST or visit.depth != load.depth or (does.op == "call" and load.does.base in CLOBBERED):
            return None
        if does.op == "branch":
            for name in (does.tested, does.source):
                tests.setdefault(name, visit)
        elif does.op == "load" and _place(visit) == same and does.target in tests:
            return visit, tests[does.target]
        if does.target == load.does.base:
            return None
        if does.op in ("load", "constant", "move"):
            tests.pop(does.target, None)
    return None


def _place(visit: Visit) -> str:
    """The memory that an instruction reads, in the log's notation: `*(u32 *)(r6 +4)`."""
    return visit.does.text.partition(" = ")[2]
