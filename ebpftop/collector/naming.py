"""When symbols of functions are requested, those that may not hold any longer too, and which frames wait for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from ebpftop.collector.functions import Change, Functions
from ebpftop.frames.messages import Detached, Frame, Notice
from ebpftop.handover import protocol

RUN = -3  # the number of the task that answers
SECONDS, LEAST = 0.5, 0.2  # between two requests: usually, and if frames wait
PATIENCE, SOON = 10.0, 0.3  # seconds that frames wait, at most: for names, and for whether names still hold
SHARE, SHARE_OF_CHECKS = 5, 20  # and so many times the CPU time of the last answer, with and without new names
MOST_PROBLEMS = 32  # files without names that are shown


class Counts(Protocol):
    """What counts code by its addresses."""

    def look(self) -> None:
        """Read all."""

    def asked(self) -> None:
        """The code in what was read last is being looked up."""

    def learned(self, change: Change, sure: bool) -> None:
        """Other code has taken the place of some; whether all else is known to be as it was."""


class _Held:
    """What a run has to show, until so many answers have come or it is late (monotonic seconds)."""

    def __init__(self, answers: int, late: float, publish: Callable[[], None]) -> None:
        self.answers, self.late, self.publish = answers, late, publish


class Naming:
    """Requests the symbols that `functions` lacks, and those of code that ran, as it may be other code by now.

    With `hold`, what a run has to show waits for symbols, up to `PATIENCE`: a consumer that draws again and again can
    take symbols later, one that writes each line once can't. The end of a run waits in any case.
    """

    def __init__(
        self,
        functions: Functions,
        request: Callable[[protocol.RequestSymbols], None],
        put: Callable[[Frame], None],
        counts: Counts,
        *,
        hold: bool,
    ) -> None:
        self._functions, self._send, self._put, self._counts = functions, request, put, counts
        self._hold = hold
        self._next = self._soonest = 0.0
        self._requested_at = 0.0
        self._of_names = self._of_all = True  # what the last request was of
        self._requests = self._answers = 0
        self._held: dict[int, _Held] = {}  # by run
        self._problems: set[str] = set()  # those that were shown
        self._ended: dict[int, Callable[[], None]] = {}  # runs that are over, once nothing of theirs is held

    def tick(self, now: float) -> None:
        """Send a request if it is time to (monotonic seconds), and release what is late."""
        if now >= self._next and self._answers >= self._requests:
            self._counts.look()
            self._request()
        for held in self._held.values():
            if now >= held.late:
                held.answers = 0
        self._settle()

    def put(self, run: int, publish: Callable[[], None]) -> None:
        """A run was read: call this when it can be shown. What still waits is stale then."""
        before, now = self._held.get(run), time.monotonic()
        wait = self._hold or self._functions.unchecked
        if now >= self._soonest:
            self._request()
        late = before.late if before else now + (PATIENCE if self._hold else SOON)
        self._held[run] = _Held(self._needed() if wait else 0, late, publish)
        self._settle()

    def answered(self, answer: protocol.Symbols | None) -> None:
        """Names have come; None: they won't."""
        self._answers += 1
        share = SHARE if self._of_names else SHARE_OF_CHECKS
        took = time.monotonic() - self._requested_at if answer is None else answer.cpu_seconds
        self._soonest = self._requested_at + max(LEAST, share * took)
        self._next = max(self._next, self._soonest)
        change = self._functions.learn(answer)
        sure = answer is not None and self._of_all and not self._functions.doubtful
        self._counts.learned(change, sure)
        for problem in answer.problems if answer is not None else ():
            if problem not in self._problems and len(self._problems) < MOST_PROBLEMS:
                self._problems.add(problem)
                self._put(Notice(level="warning", text=problem))
        self._settle()
        if change:
            self._counts.look()  # what is counted from now on is of the new code alone

    def detached(self, run: int, has_stacks: bool, close: Callable[[], None] = lambda: None) -> None:
        """Report that a run is over, after what it has to show; then close it."""
        if has_stacks:
            held = self._held.setdefault(run, _Held(0, 0.0, lambda: None))
            held.answers, held.late = self._needed(), time.monotonic() + PATIENCE
        self._ended[run] = close
        self._settle()

    def drop(self, run: int) -> None:
        """What a run has to show will not be shown."""
        self._held.pop(run, None)

    def _needed(self) -> int:
        """How many answers there will be once all that is known of now is named, and sure to hold."""
        return self._requests + (self._functions.unchecked or self._functions.unrequested)

    def _settle(self) -> None:
        """Show what has waited long enough."""
        if any(run in self._held for run in self._ended):
            self._request()
        if (changes := self._functions.changes()) is not None:
            self._put(changes)
        for run, held in list(self._held.items()):
            if self._answers >= held.answers:
                self._held.pop(run, None)
                held.publish()
        for run in [run for run in self._ended if run not in self._held]:
            close = self._ended.pop(run)
            self._put(Detached(run=run))
            close()

    def _request(self) -> None:
        if self._answers < self._requests:
            return  # one at a time
        now = time.monotonic()
        self._next, self._soonest = now + SECONDS, now + LEAST
        self._requests += 1
        self._of_names = self._functions.unrequested
        request = self._functions.request(RUN)
        if request is None:  # nothing to request, or nobody left who could answer
            self._answers += 1
        else:
            self._requested_at = now
            self._of_all = not self._functions.unchecked
            self._counts.asked()
            self._send(request)
