"""From registers and a piece of a stack to the addresses of all callers, in the memory of one process."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from ebpftop.base.gaps import BROKEN, COMPILED, NO_TABLES, NOT_IN_MEMORY, NOWHERE, TOO_MUCH, more_than
from ebpftop.unwind.cursor import BadTables
from ebpftop.unwind.rows import RBP, RCX, RIP, RSP
from ebpftop.unwind.tables import Effort, Step, Tables, TooMuch
from ebpftop.unwind.walk import BY_FRAME_POINTER, Ended, Walk

DEEPEST = 256  # frames
_MOST_STEPS = 1 << 16  # kept


class Code(NamedTuple):
    """Executable memory, `start` <= address < `end`. The file's address 0 would be at `base`. `tables` are the file's
    unwind tables, None if it has none, or a text that says why they can't be used. compiled: the memory belongs to no
    file; a just-in-time compiler wrote it.
    """

    start: int
    end: int
    base: int
    tables: Tables | str | None
    compiled: bool = False


class Unwound(NamedTuple):
    """Addresses of code, innermost first; a caller's address is within its call. ended: why no more follow, empty if
    the last is the first function of its thread.
    """

    places: tuple[int, ...]
    ended: str

    @property
    def holds(self) -> bool:
        """Whether the same return addresses at the same places always mean the same stack."""
        return self.ended not in (NOWHERE, TOO_MUCH, NOT_IN_MEMORY)


class Space:
    """The code of one process. Steps are cached, so a repeated address costs one dictionary lookup."""

    def __init__(self, code: Sequence[Code]) -> None:
        self._code = sorted(code, key=lambda each: each.start)
        self._starts = [each.start for each in self._code]
        self._steps: dict[int, Step | str] = {}

    @property
    def kept(self) -> int:
        """The number of cached steps."""
        return len(self._steps)

    def forget(self) -> None:
        self._steps.clear()

    def unwind(
        self,
        registers: Sequence[int],
        stack: memoryview,
        effort: Effort,
        *,
        whole: int,
        top: int = 0,
        returns: list[int] | None = None,
        bounds: list[int] | None = None,
    ) -> Unwound:
        """The callers of code that runs with these registers, which are in the order of DWARF's numbers.

        stack: 8-byte words from rsp up. whole: the maximum number of bytes copied of a stack. top: where the stack of
        the first thread began; 0 if unknown. returns: receives the places of the return addresses (see `Walk`). bounds:
        receives the beginning of the frame of each place.
        """
        walk = Walk(registers, stack, whole, top)
        if returns is not None:
            walk.returns = returns
        called = registers[RCX] == registers[RIP]  # a system call leaves its return address there
        places = [registers[RIP] - called]
        if bounds is not None:
            bounds.append(registers[RSP])
        steps, alone = self._steps, True
        try:
            step = self._step(places[0], effort)
            if step is BY_FRAME_POINTER and (before := self._trampoline(places[0] - 1, effort)):
                places, step = [places[0] - 1], before
            while not isinstance(step, str):
                caller = walk.step(step)
                if not caller:
                    return Unwound(tuple(places), "")
                if len(places) >= DEEPEST:
                    return Unwound(tuple(places), more_than(DEEPEST))
                place = caller if step.signal else caller - 1  # a call may be a function's last instruction
                known = steps.get(place)
                before, step = step, self._step(place, effort) if known is None else known
                if before is BY_FRAME_POINTER:
                    if alone and _keeps_none(step):
                        raise Ended(NO_TABLES)  # rbp looked like a frame pointer, but most likely wasn't
                    alone = False
                else:
                    alone = True
                places.append(place)
                if bounds is not None:
                    bounds.append(walk.sp)
        except Ended as ended:
            why = str(ended)
            return Unwound(tuple(places), COMPILED if why == NO_TABLES and self._is_compiled(places[-1]) else why)
        return Unwound(tuple(places), step)

    def _step(self, place: int, effort: Effort) -> Step | str:
        """The step from a place to its caller, or why there is none. Raises `Ended` if the place is not in code."""
        step = self._steps.get(place)
        if step is None:
            step = self._find(place, effort)
            if len(self._steps) >= _MOST_STEPS:
                self._steps.clear()
            self._steps[place] = step
        return step

    def _trampoline(self, place: int, effort: Effort) -> Step | None:
        """The way out of a signal's frame. The system call of its code ends the frame, and the kernel may be changing
        the registers.
        """
        step = self._step(place, effort) if self._at(place) else None
        return step if isinstance(step, Step) and step.signal else None

    def _at(self, place: int) -> Code | None:
        after = bisect_right(self._starts, place)
        code = self._code[after - 1] if after else None
        return code if code is not None and place < code.end else None

    def _is_compiled(self, place: int) -> bool:
        code = self._at(place)
        return code is not None and code.compiled

    def _find(self, place: int, effort: Effort) -> Step | str:
        code = self._at(place)
        if code is None:
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


def _keeps_none(step: Step | str) -> bool:
    """Whether a function has no frame pointer, according to its tables."""
    return not isinstance(step, str) and step.row is None and not step.last and step.register != RBP
