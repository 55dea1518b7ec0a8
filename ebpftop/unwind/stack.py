"""From registers and a piece of a stack to the addresses of all callers, in the memory of one process."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from ebpftop.unwind.cursor import BadTables
from ebpftop.unwind.rows import RCX, RIP
from ebpftop.unwind.tables import Effort, Step, Tables, TooMuch
from ebpftop.unwind.walk import BROKEN, BY_FRAME_POINTER, Ended, Walk

DEEPEST = 256  # frames
_MOST_STEPS = 1 << 16  # kept

NOWHERE = "return address outside of all code"
TOO_MUCH = "unwinding takes too long"
TOO_DEEP = f"deeper than {DEEPEST} calls"


class Code(NamedTuple):
    """Executable memory, `start` <= address < `end`. Its file's address 0 would be at `base`; `tables` are the file's,
    None where it has none, or a text that says why they can't be used.
    """

    start: int
    end: int
    base: int
    tables: Tables | str | None


class Unwound(NamedTuple):
    """Addresses of code, innermost first: of a caller, one within its call. ended: why there are no more of them, empty
    where the last is the first function of its thread.
    """

    places: tuple[int, ...]
    ended: str


class Space:
    """The code of one process. Steps are kept, so that an address that comes again costs a look into a dictionary."""

    def __init__(self, code: Sequence[Code]) -> None:
        self._code = sorted(code, key=lambda each: each.start)
        self._starts = [each.start for each in self._code]
        self._steps: dict[int, Step | str] = {}

    @property
    def kept(self) -> int:
        """How many steps are remembered."""
        return len(self._steps)

    def forget(self) -> None:
        self._steps.clear()

    def unwind(
        self, registers: Sequence[int], stack: memoryview, effort: Effort, *, whole: int, top: int = 0
    ) -> Unwound:
        """The callers of code that runs with these registers, by DWARF's numbers.

        stack: 8-byte words from rsp up. whole: bytes that are copied of a stack at most. top: where the stack of the
        first thread began; 0 where that isn't known.
        """
        walk = Walk(registers, stack, whole, top)
        called = registers[RCX] == registers[RIP]  # a system call leaves there where it returns to
        places = [registers[RIP] - called]
        steps = self._steps
        try:
            step = self._step(places[0], effort)
            while not isinstance(step, str):
                caller = walk.step(step)
                if not caller:
                    return Unwound(tuple(places), "")
                if len(places) >= DEEPEST:
                    return Unwound(tuple(places), TOO_DEEP)
                place = caller if step.signal else caller - 1  # a call may be the last thing in a function
                known = steps.get(place)
                step = self._step(place, effort) if known is None else known
                places.append(place)
        except Ended as ended:
            return Unwound(tuple(places), str(ended))
        return Unwound(tuple(places), step)

    def _step(self, place: int, effort: Effort) -> Step | str:
        """From a place to its caller, or why there is no way. Raises `Ended` where the place is none of code."""
        step = self._steps.get(place)
        if step is None:
            step = self._find(place, effort)
            if len(self._steps) >= _MOST_STEPS:
                self._steps.clear()
            self._steps[place] = step
        return step

    def _find(self, place: int, effort: Effort) -> Step | str:
        after = bisect_right(self._starts, place)
        code = self._code[after - 1] if after else None
        if code is None or place >= code.end:
            raise Ended(NOWHERE)
        if isinstance(code.tables, str):
            return code.tables
        try:
            found = code.tables.step(place - code.base, effort) if code.tables else None
        except BadTables:
            return BROKEN
        except TooMuch:
            raise Ended(TOO_MUCH) from None
        return found or BY_FRAME_POINTER
