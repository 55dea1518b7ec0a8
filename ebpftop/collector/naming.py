"""When names of functions are asked for, and who waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable

from ebpftop import handover
from ebpftop.collector.symbols import Functions
from ebpftop.frames.messages import Detached, Frame

RUN = -3  # the number of the task that answers
SECONDS = 1.0  # between two questions


class Naming:
    """Asks for what `functions` lacks. A run is over once its last functions have the names they can have."""

    def __init__(
        self, functions: Functions, ask: Callable[[handover.AskSymbols], None], put: Callable[[Frame], None]
    ) -> None:
        self._functions, self._send, self._put = functions, ask, put
        self._next = 0.0
        self._waiting: list[int] = []  # runs that would be over

    def tick(self, now: float) -> None:
        """Ask, if it is time to (monotonic seconds)."""
        if now >= self._next:
            self._ask()

    def tell(self) -> None:
        """Put what is new or known better."""
        if (told := self._functions.changes()) is not None:
            self._put(told)

    def answered(self, answer: handover.Symbols | None) -> None:
        """Names have come; None: they won't."""
        self._functions.learn(answer)
        self.tell()
        self._settle()

    def detached(self, run: int) -> None:
        """Put that a run is over, now or with its last names."""
        self._waiting.append(run)
        self._settle()

    def _settle(self) -> None:
        if self._waiting:
            self._ask()
        if not self._functions.wanting:
            for run in self._waiting:
                self._put(Detached(run=run))
            self._waiting.clear()

    def _ask(self) -> None:
        if (question := self._functions.ask(RUN)) is not None:
            self._next = time.monotonic() + SECONDS
            self._send(question)
