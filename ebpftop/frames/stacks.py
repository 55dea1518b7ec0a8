"""The call stacks of a stream, and the functions in them, a bounded number of both."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.frames.messages import Function, Stack, Stacks

STACK = "stack"  # the column of a stacks view that holds numbers of stacks
LIMIT = 1 << 22  # functions in all stacks together, some 32 MB; beyond, the oldest stacks are forgotten
FUNCTIONS = 1 << 19  # different ones, some 100 MB; likewise

_MISSING_FUNCTION = Function(id=-1, side="missing", name="function not known")
_MISSING_STACK = Function(id=-2, side="missing", name="stack not known")


class KnownStacks:
    """The accumulated `Stacks` frames. A stack is an array of indices into `functions`, outermost first."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.revision = 0  # grows with every frame
        self._held = 0  # functions in all stacks together
        self._stacks: dict[int, Array] = {}
        self._begin()

    def _begin(self) -> None:
        self.functions: list[Function] = [_MISSING_STACK]
        self._places: dict[int, int] = {}

    def take(self, frame: Stacks) -> None:
        """Add new stacks, and functions that are new or known better now."""
        self.revision += 1
        for function in frame.functions:
            self.functions[self._place(function.id)] = function
        for stack in frame.stacks:
            places = np.fromiter(map(self._place, stack.functions), np.int64, len(stack.functions))
            self._held += len(places) - len(self._stacks.pop(stack.id, ()))
            self._stacks[stack.id] = places
        if self._held > self.limit:
            self._forget(self.limit // 2)
        if len(self.functions) > FUNCTIONS:
            self._forget(FUNCTIONS // 2)

    def lookup(self, numbers: Iterable[int]) -> list[Array]:
        """The stack of each number; one that was never sent, or is forgotten, is one missing frame that says so."""
        unknown = np.zeros(1, np.int64)
        return [self._stacks.get(number, unknown) for number in numbers]

    def as_frame(self) -> Stacks:
        """All that is known, in one frame."""
        stacks = [
            Stack(id=number, functions=[self.functions[place].id for place in places.tolist()])
            for number, places in self._stacks.items()
        ]
        return Stacks(functions=[function for function in self.functions if function.id >= 0], stacks=stacks)

    def _place(self, number: int) -> int:
        place = self._places.get(number)
        if place is None:
            place = self._places[number] = len(self.functions)
            self.functions.append(_MISSING_FUNCTION)
        return place

    def _forget(self, most: int) -> None:
        """Keep the newest stacks, so many functions in all, and these functions."""
        kept: dict[int, Array] = {}
        held = 0
        for number, places in reversed(self._stacks.items()):
            held += len(places)
            if held > most:
                break
            kept[number] = places
        functions, numbers = self.functions, {place: number for number, place in self._places.items()}
        self._begin()
        self._held, self._stacks = 0, {}
        for number, places in reversed(kept.items()):
            again = [self._place(numbers[place]) for place in places.tolist()]
            for place, old in zip(again, places.tolist(), strict=True):
                self.functions[place] = functions[old]
            self._stacks[number] = np.array(again, np.int64)
            self._held += len(again)
