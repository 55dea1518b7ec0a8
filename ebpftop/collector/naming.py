"""When the symbols of functions are requested, and which frames wait for them."""

from __future__ import annotations

import time
from collections.abc import Callable

from ebpftop.collector.functions import Functions
from ebpftop.frames.messages import Detached, Frame, Notice
from ebpftop.handover import protocol

RUN = -3  # the number of the task that answers
SECONDS = 1.0  # between two requests, at least
PATIENCE = 10.0  # seconds that anything waits for names, at most
SHARE = 5  # and so many times as long as the last answer took: looking up names is to cost little beside what is traced
MOST_PROBLEMS = 32  # files without names that are shown


class _Held:
    """Frames of a run, until so many answers have come or it is late (monotonic seconds)."""

    def __init__(self, answers: int, late: float, frames: list[Frame]) -> None:
        self.answers, self.late, self.frames = answers, late, frames


class Naming:
    """Requests the symbols that `functions` lacks.

    With `hold`, frames with stacks wait for symbols, up to `PATIENCE`: a consumer that draws again and again can take
    symbols later, one that writes each line once can't. The end of a run waits in any case.
    """

    def __init__(
        self,
        functions: Functions,
        request: Callable[[protocol.RequestSymbols], None],
        put: Callable[[Frame], None],
        *,
        hold: bool,
    ) -> None:
        self._functions, self._send, self._put, self._hold = functions, request, put, hold
        self._next = 0.0
        self._requested_at = 0.0
        self._requests = self._answers = 0
        self._held: dict[int, _Held] = {}  # by run
        self._problems: set[str] = set()  # those that were shown
        self._ended: list[int] = []  # runs that are over, once nothing of theirs is held

    def tick(self, now: float) -> None:
        """Send a request if it is time to (monotonic seconds), and release what is late."""
        if now >= self._next:
            self._request()
        for held in self._held.values():
            if now >= held.late:
                held.answers = 0
        self._settle()

    def put(self, run: int, frames: list[Frame]) -> None:
        """Put these frames of a run with stacks; those that still wait are stale then."""
        before = self._held.get(run)
        late = before.late if before else time.monotonic() + PATIENCE
        self._held[run] = _Held(self._needed() if self._hold else 0, late, frames)
        self._settle()

    def answered(self, answer: protocol.Symbols | None) -> None:
        """Names have come; None: they won't."""
        self._answers += 1
        self._next = max(self._next, self._requested_at + SHARE * (time.monotonic() - self._requested_at))
        self._functions.learn(answer)
        for problem in answer.problems if answer is not None else ():
            if problem not in self._problems and len(self._problems) < MOST_PROBLEMS:
                self._problems.add(problem)
                self._put(Notice(level="warning", text=problem))
        self._settle()

    def detached(self, run: int, has_stacks: bool) -> None:
        """Report that a run is over, after its last frames."""
        if has_stacks:
            held = self._held.setdefault(run, _Held(0, time.monotonic() + PATIENCE, []))
            held.answers = self._needed()
        self._ended.append(run)
        self._settle()

    def _needed(self) -> int:
        """How many answers there will be once all is named that is known of now."""
        return self._requests + self._functions.unrequested

    def _settle(self) -> None:
        """Put what has waited long enough."""
        if any(run in self._held for run in self._ended):
            self._request()
        if (changes := self._functions.changes()) is not None:
            self._put(changes)
        for run, held in list(self._held.items()):
            if self._answers >= held.answers:
                del self._held[run]
                for frame in held.frames:
                    self._put(frame)
        for run in [run for run in self._ended if run not in self._held]:
            self._ended.remove(run)
            self._put(Detached(run=run))

    def _request(self) -> None:
        if self._answers < self._requests:
            return  # one at a time
        self._requests += 1
        request = self._functions.request(RUN)
        if request is None:  # nothing to request, or nobody left who could answer
            self._answers += 1
        else:
            self._requested_at = time.monotonic()
            self._next = self._requested_at + SECONDS
            self._send(request)
