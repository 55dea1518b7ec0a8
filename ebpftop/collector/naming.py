"""Decides when symbols of functions are requested, including possibly outdated ones, and which frames wait for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Protocol

from ebpftop.collector.functions import Change, Functions
from ebpftop.frames.messages import AnyFrame, Detached, Notice
from ebpftop.handover import protocol

RUN = -3  # the number of the task that answers
SECONDS, LEAST = 0.5, 0.2  # between two requests: usually, and if frames wait
SECONDS_OF_NAMES = 1.0  # between two that are of new names too, which costs more
SHARE = 20  # and so many times the CPU time of the last answer
NAMES_AT_ONCE, SHARE_OF_NAMES = 2.0, 0.03  # CPU seconds for names while they are new, and of each second from then on
PATIENCE, SOON = 10.0, 0.3  # seconds that frames wait, at most: for names, and for whether names still hold
MOST_PROBLEMS = 32  # files without names that are shown


class Counts(Protocol):
    """A counter of code by address."""

    @property
    def any(self) -> bool:
        """Whether anything counts code."""

    def look(self) -> None:
        """Read everything."""

    def asked(self) -> None:
        """A lookup of the code in the last reading has begun."""

    def learned(self, change: Change, sure: bool) -> None:
        """Other code has replaced some of it. sure: everything else is known to be unchanged."""


class _Held:
    """Frames of a run, held until a number of answers has come, a number of them with names, or until it is too late
    (monotonic seconds).
    """

    def __init__(self, answers: int, named: int, late: float, publish: Callable[[], None]) -> None:
        self.answers, self.named, self.late, self.publish = answers, named, late, publish


class Naming:
    """Requests the symbols that `functions` lacks, and those of code that ran, because it may have changed.

    With `hold`, the frames of a run wait for symbols, up to `PATIENCE`. A consumer that redraws can take symbols later;
    one that writes each line once can't. The end of a run waits in any case.
    """

    def __init__(
        self,
        functions: Functions,
        request: Callable[[protocol.RequestSymbols], None],
        put: Callable[[AnyFrame], None],
        counts: Counts,
        *,
        hold: bool,
    ) -> None:
        self._functions, self._send, self._put, self._counts = functions, request, put, counts
        self._hold = hold
        self._next = self._soonest = self._next_names = 0.0
        self._requested_at = 0.0
        self._may_spend = NAMES_AT_ONCE  # CPU seconds, at the time of the next line
        self._may_since = time.monotonic()
        self._of_names = self._of_all = True  # what the last request was of
        self._requests = self._answers = 0
        self._named = 0  # answers to requests for names
        self._held: dict[int, _Held] = {}  # by run
        self._problems: set[str] = set()  # those that were shown
        self._ended: dict[
            int, tuple[Callable[[], None], str]
        ] = {}  # runs that are over, once nothing of theirs is held

    @property
    def due(self) -> float:
        """When `tick` is due next (monotonic seconds)."""
        late = [held.late for held in self._held.values()]
        return min([self._next, *late] if self._counts.any and self._answers >= self._requests else late, default=inf)

    def tick(self, now: float) -> None:
        """Send a request if one is due (monotonic seconds), and release overdue frames."""
        if now >= self._next and self._answers >= self._requests:
            self._counts.look()
            self._request(now)
        for held in self._held.values():
            if now >= held.late:
                held.answers = held.named = 0
        self._settle()

    def put(self, run: int, publish: Callable[[], None]) -> None:
        """A run was read: call this when it can be shown. What still waits is stale then."""
        before, now = self._held.get(run), time.monotonic()
        unchecked = self._functions.unchecked
        if now >= self._soonest:
            self._request(now)
        late = before.late if before else now + (PATIENCE if self._hold else SOON)
        answers, named = self._needed()
        self._held[run] = _Held(answers if unchecked else 0, named if self._hold else 0, late, publish)
        self._settle()

    def answered(self, answer: protocol.Symbols | None) -> None:
        """Names have arrived; None: they won't."""
        self._answers += 1
        self._named += self._of_names
        took = time.monotonic() - self._requested_at if answer is None else answer.cpu_seconds
        if self._of_names:
            self._next_names = self._requested_at + max(SECONDS_OF_NAMES, self._spend(took))
        else:
            self._soonest = self._requested_at + max(LEAST, SHARE * took)
            self._next = max(self._next, self._soonest)
        change = self._functions.learn(answer)
        if self._functions.retries:
            for held in self._held.values():
                held.named = max(held.named, self._named + 1)
        sure = answer is not None and self._of_all and not self._functions.doubtful
        self._counts.learned(change, sure)
        for problem in answer.problems if answer is not None else ():
            if problem not in self._problems and len(self._problems) < MOST_PROBLEMS:
                self._problems.add(problem)
                self._put(Notice(level="warning", text=problem))
        self._settle()
        if change:
            self._counts.look()  # what is counted from now on is of the new code alone

    def _spend(self, seconds: float) -> float:
        """Seconds until more may be spent on names. If many programs run, new code keeps arriving, and its names are
        worth less and less. Frames that are held don't wait in vain.
        """
        now = time.monotonic()
        earned = (now - self._may_since) * SHARE_OF_NAMES
        self._may_spend, self._may_since = min(NAMES_AT_ONCE, self._may_spend + earned) - seconds, now
        wait = max(0.0, -self._may_spend) / SHARE_OF_NAMES
        return min(wait, PATIENCE / 2) if self._hold else wait

    def detached(
        self, run: int, has_stacks: bool, close: Callable[[], None] = lambda: None, *, reason: str = ""
    ) -> None:
        """Report the end of a run after its last frames; then close it. reason: if nobody requested it."""
        if has_stacks:
            held = self._held.setdefault(run, _Held(0, 0, 0.0, lambda: None))
            held.answers, held.named = self._needed()
            held.late = time.monotonic() + PATIENCE
        self._ended[run] = close, reason
        self._settle()

    def holds(self, run: int) -> bool:
        """Whether frames of a run wait for names."""
        return self._hold and run in self._held

    def drop(self, run: int) -> None:
        """The frames of a run will not be shown."""
        self._held.pop(run, None)

    def _needed(self) -> tuple[int, int]:
        """How many answers it takes until everything known now is certain, and how many with names."""
        due = self._answers < self._requests
        named = self._named + (due and self._of_names) + self._functions.unrequested
        return self._requests + self._functions.unchecked, named

    def _settle(self) -> None:
        """Show frames that have waited long enough."""
        if any(run in self._held for run in self._ended):
            self._request(time.monotonic(), names=True)
        if (changes := self._functions.changes()) is not None:
            self._put(changes)
        for run, held in list(self._held.items()):
            if self._answers >= held.answers and self._named >= held.named:
                self._held.pop(run, None)
                held.publish()
        for run in [run for run in self._ended if run not in self._held]:
            close, reason = self._ended.pop(run)
            self._put(Detached(run=run, reason=reason))
            close()

    def _request(self, now: float, *, names: bool = False) -> None:
        if self._answers < self._requests:
            return  # one at a time
        self._next, self._soonest = now + SECONDS, now + LEAST
        self._requests += 1
        self._of_names = names or now >= self._next_names
        request = self._functions.request(RUN, names=self._of_names)
        if request is None:  # nothing to request, or nobody left who could answer
            self._answers += 1
            self._named += self._of_names
        else:
            self._requested_at = time.monotonic()
            self._of_all = not self._functions.unchecked
            self._counts.asked()
            self._send(request)
