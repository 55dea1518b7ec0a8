"""The call stacks of a stream and their functions, as many as fit into a given number of bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from sys import getsizeof

import numpy as np

from ebpftop.base import bounds
from ebpftop.base.gaps import FUNCTION_FORGOTTEN, STACK_FORGOTTEN
from ebpftop.frames.columns import Array
from ebpftop.frames.messages import Function, Stack, Stacks

STACK = "stack"  # the column of a stacks view that holds numbers of stacks
_STACK, _PLACE, _FUNCTION = 250, 4, 330  # bytes of a stack, of a place in it, and of a function without its texts

_MISSING_FUNCTION = Function(id=-1, side="missing", name=FUNCTION_FORGOTTEN)
_MISSING_STACK = Function(id=-2, side="missing", name=STACK_FORGOTTEN)


class KnownStacks:
    """The accumulated `Stacks` frames. A stack is an array of indices into `functions`, outermost first.

    bytes: the memory they take. Beyond `limit`, the newest stacks that fit into half of it are kept, with their
    functions. ahead: those of the same stream that were read ahead, if any; what is looked up comes from there too.
    """

    def __init__(self, limit: int = bounds.STACKS, ahead: Callable[[], KnownStacks | None] = lambda: None) -> None:
        self.limit = limit
        self._ahead = ahead
        self.revision = 0  # grows with every frame
        self.bytes = 0
        self._stacks: dict[int, Array] = {}
        self._begin()

    def _begin(self) -> None:
        self.functions: list[Function] = [_MISSING_STACK]
        self._places: dict[int, int] = {}

    def take(self, frame: Stacks) -> None:
        """Add new stacks, and functions that are new or better known."""
        self.revision += 1
        for function in frame.functions:
            place = self._place(function.id)
            self.bytes += _texts(function) - _texts(self.functions[place])
            self.functions[place] = function
        for stack in frame.stacks:
            places = np.fromiter(map(self._place, stack.functions), np.int32, len(stack.functions))
            self._put(stack.id, places)
        if self.bytes > self.limit:
            self._forget(self.limit // 2)

    def _put(self, number: int, places: Array) -> None:
        before = self._stacks.pop(number, None)
        self.bytes += _size(places) - (0 if before is None else _size(before))
        self._stacks[number] = places

    def lookup(self, numbers: Iterable[int]) -> list[Array]:
        """The stack of each number; for an unknown or forgotten number, one frame that says it is missing. `functions`
        may grow.
        """
        wanted, unknown = [*numbers], np.zeros(1, np.int32)
        if (ahead := self._ahead()) is not None:
            missing = [number for number in wanted if number not in self._stacks]
            stacks = {number: ahead._stacks[number] for number in missing if number in ahead._stacks}
            if stacks:
                self.take(ahead._as_frame(stacks, np.unique(np.concatenate([*stacks.values()])).tolist()))
        return [self._stacks.get(number, unknown) for number in wanted]

    def as_frame(self) -> Stacks:
        """Everything that is known, in one frame."""
        return self._as_frame(self._stacks, range(len(self.functions)))

    def _as_frame(self, chosen: Mapping[int, Array], needed: Iterable[int]) -> Stacks:
        stacks = [
            Stack(id=number, functions=[self.functions[place].id for place in places.tolist()])
            for number, places in chosen.items()
        ]
        functions = [self.functions[place] for place in needed]
        return Stacks(functions=[function for function in functions if function.id >= 0], stacks=stacks)

    def _place(self, number: int) -> int:
        place = self._places.get(number)
        if place is None:
            place = self._places[number] = len(self.functions)
            self.functions.append(_MISSING_FUNCTION)
            self.bytes += _FUNCTION + _texts(_MISSING_FUNCTION)
        return place

    def _forget(self, most: int) -> None:
        """Keep the newest stacks that take this many bytes with their functions, and these functions."""
        kept: list[tuple[int, Array]] = []
        needed: set[int] = set()
        held = 0
        for number, places in reversed(self._stacks.items()):
            new = {*places.tolist()} - needed
            held += _size(places) + sum(_FUNCTION + _texts(self.functions[place]) for place in new)
            if held > most:
                break
            needed |= new
            kept.append((number, places))
        functions, numbers = self.functions, {place: number for number, place in self._places.items()}
        self.bytes, self._stacks = 0, {}
        self._begin()
        for number, places in reversed(kept):
            again = [self._place(numbers[place]) for place in places.tolist()]
            for place, old in zip(again, places.tolist(), strict=True):
                self.bytes += _texts(functions[old]) - _texts(self.functions[place])
                self.functions[place] = functions[old]
            self._put(number, np.array(again, np.int32))


def _size(places: Array) -> int:
    return _STACK + _PLACE * len(places)


def _texts(function: Function) -> int:
    return sum(map(getsizeof, (function.name, function.module, function.symbol, function.file)))
