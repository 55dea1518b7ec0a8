"""Tracks which paintings the terminal has processed."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Protocol

from ebpftop.ui.screens.state import LATE

AHEAD = 4000  # characters that may be on their way when the next painting begins: a long way delays no key
AGAIN = 5.0  # seconds after which an answer may be lost: some programs between us and the terminal drop questions
_NUMBERS = 8  # of paintings; column 8 exists on any screen, and two would do, as answers keep their order
_ENOUGH = 2000  # characters that tell how quick a terminal is


class Flow:
    """Each painting has a number, and ends with a query that the terminal answers with that number.

    The kernel accepts tens of kilobytes that a pseudo-terminal's reader hasn't read, and counts none of them (TIOCOUTQ
    is 0); ssh and the like accept more. Only an answer shows that the terminal has come that far. For a terminal that
    has never answered, a painting counts as taken when the kernel has it.

    slow: whether a painting of the size that has been seen takes it more than a moment.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.number = 0  # of the last painting
        self.answers = False  # whether the terminal has ever answered
        self._flying: dict[int, tuple[int, int, float]] = {}  # size, size of all that flew then, when; oldest first
        self._asked = 0.0
        self._quickest = inf  # the way there and back
        self._needed = 0.0  # characters a second that it had to take to be quick
        self._taken: list[tuple[int, float]] = []  # size and seconds of the paintings since it was slow

    @property
    def slow(self) -> bool:
        return self._needed > 0

    @property
    def full(self) -> bool:
        """Whether the next painting has to wait. A slow terminal gets one at a time."""
        return self._on_its_way() > (0 if self.slow else AHEAD) or len(self._flying) == _NUMBERS - 1

    def _on_its_way(self) -> int:
        return sum(size for size, _, _ in self._flying.values())

    def painted(self, size: int) -> None:
        """A painting of this many characters is being written; its query comes next."""
        self.number = (self.number + 1) % _NUMBERS
        self._asked = self._clock()
        self._flying.pop(self.number, None)
        self._flying[self.number] = size, self._on_its_way() + size, self._asked

    def written(self) -> bool:
        """The kernel has taken everything. Returns whether the next painting became possible."""
        return not self.answers and self._land(self.number)

    def answered(self, number: int) -> bool:
        """The terminal has answered the query of a painting. Returns the same."""
        self.answers = True
        return self._land(number)

    def asks_again(self) -> bool:
        """Whether it is time to repeat the last query, if the kernel has taken it."""
        if not (self._flying and self.answers) or self._clock() < self._asked + AGAIN:
            return False
        self._asked = self._clock()
        return True

    def _land(self, number: int) -> bool:
        if number not in self._flying:
            return False
        before = self.full, self.slow
        _, size, since = self._flying[number]
        for earlier in list(self._flying):
            del self._flying[earlier]
            if earlier == number:
                break
        self._measure(size, self._clock() - since)
        return not self.full and before != (False, self.slow)

    def _measure(self, size: int, seconds: float) -> None:
        self._quickest = min(self._quickest, seconds)
        if seconds >= LATE:
            self._needed = max(self._needed, size / LATE)
            self._taken.clear()
        elif self.slow:
            self._taken.append((size, seconds - self._quickest))
            taken, needed = (sum(column) for column in zip(*self._taken, strict=True))
            if taken >= _ENOUGH:
                self._taken.clear()
                if taken > 2 * self._needed * needed:
                    self._needed = 0.0


class Paints(Protocol):
    """What a driver needs from its application. go_on: called when the next painting is possible."""

    flow: Flow

    async def go_on(self) -> None: ...
