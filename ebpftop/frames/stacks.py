"""A bounded number of the call stacks that a stream has sent, and of their functions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.frames.messages import Function, Stack, Stacks

LIMIT = 1 << 22  # functions in all stacks together, about 32 MB; beyond that, the oldest stacks are dropped

_NOT_TOLD = Function(id=-1, side="missing", name="unknown function")
_FORGOTTEN = Function(id=-2, side="missing", name="unknown stack")


class KnownStacks:
    """The accumulated `Stacks` frames. A stack is an array of indices into `functions`, outermost first."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.revision = 0  # increases with each change
        self._held = 0  # functions in all stacks together
        self._stacks: dict[int, Array] = {}
        self._begin()

    def _begin(self) -> None:
        self.functions: list[Function] = [_FORGOTTEN]
        self._places: dict[int, int] = {}

    def take(self, frame: Stacks) -> None:
        """Add new stacks, and new or changed functions."""
        self.revision += 1
        for function in frame.functions:
            self.functions[self._place(function.id)] = function
        for stack in frame.stacks:
            places = np.fromiter(map(self._place, stack.functions), np.int64, len(stack.functions))
            self._held += len(places) - len(self._stacks.pop(stack.id, ()))
            self._stacks[stack.id] = places
        if self._held > self.limit:
            self._forget()

    def stacks(self, numbers: Iterable[int]) -> list[Array]:
        """The stack of each number; for one never received, or dropped, a single missing frame that says so."""
        unknown = np.zeros(1, np.int64)
        return [self._stacks.get(number, unknown) for number in numbers]

    def frame(self) -> Stacks:
        """Everything known, as one frame to send again."""
        told = self.functions
        stacks = [
            Stack(id=number, functions=[told[place].id for place in places.tolist()])
            for number, places in self._stacks.items()
        ]
        return Stacks(functions=[function for function in told if function.id >= 0], stacks=stacks)

    def _place(self, number: int) -> int:
        place = self._places.get(number)
        if place is None:
            place = self._places[number] = len(self.functions)
            self.functions.append(_NOT_TOLD)
        return place

    def _forget(self) -> None:
        """Keep the newest stacks, up to half the limit, and their functions."""
        kept: dict[int, Array] = {}
        held = 0
        for number, places in reversed(self._stacks.items()):
            held += len(places)
            if held > self.limit // 2:
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
