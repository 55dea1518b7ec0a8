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
    """Asks for what `functions` lacks. What a run tells of its stacks waits for the names they can have, as not every
    consumer takes names later; so does its end.
    """

    def __init__(
        self, functions: Functions, ask: Callable[[handover.AskSymbols], None], put: Callable[[Frame], None]
    ) -> None:
        self._functions, self._send, self._put = functions, ask, put
        self._next = 0.0
        self._questions = self._answers = 0
        self._held: dict[int, tuple[int, list[Frame]]] = {}  # by run: until so many answers have come
        self._ended: list[int] = []  # runs that are over, once nothing of theirs is held

    def tick(self, now: float) -> None:
        """Ask, if it is time to (monotonic seconds)."""
        if now >= self._next:
            self._ask()
            self._settle()

    def put(self, run: int, frames: list[Frame]) -> None:
        """Put these frames of a run with stacks as soon as there are names; what it told before is stale then."""
        self._held[run] = self._questions + self._functions.unasked, frames
        self._settle()

    def answered(self, answer: handover.Symbols | None) -> None:
        """Names have come; None: they won't."""
        self._answers += 1
        self._functions.learn(answer)
        self._settle()

    def detached(self, run: int) -> None:
        """Put that a run is over, after all it told."""
        self._ended.append(run)
        self._settle()

    def _settle(self) -> None:
        """Put what has waited long enough."""
        if any(run in self._held for run in self._ended):
            self._ask()
        if (told := self._functions.changes()) is not None:
            self._put(told)
        for run, (answers, frames) in list(self._held.items()):
            if self._answers >= answers:
                del self._held[run]
                for frame in frames:
                    self._put(frame)
        for run in [run for run in self._ended if run not in self._held]:
            self._ended.remove(run)
            self._put(Detached(run=run))

    def _ask(self) -> None:
        if self._answers < self._questions:
            return  # one at a time
        self._questions += 1
        question = self._functions.ask(RUN)
        if question is None:  # nothing, or nobody who could tell
            self._answers += 1
        else:
            self._next = time.monotonic() + SECONDS
            self._send(question)
