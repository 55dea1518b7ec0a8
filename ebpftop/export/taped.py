"""A tape read from beginning to end: the data for a report."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

import msgspec

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import AnyFrame, Cost, Detached, Hello, Host, Losses, Notice, Rejected, Snapshot
from ebpftop.frames.tape import TapeReader
from ebpftop.model.past.span import Span
from ebpftop.model.readings import CostNow
from ebpftop.model.run import Run
from ebpftop.model.session import Session

PAST = 256 << 20  # bytes of the past of a tape
EVENTS = 1_000_000  # of each ring buffer
_NOTICES = 1000
_HOSTS = 100_000  # samples of the machine: more than a day


@dataclass(frozen=True, slots=True)
class Moment:
    """An event. realtime_ns: None on a tape without a sample. what: a short word; text: untrusted."""

    realtime_ns: int | None
    what: str
    text: str


@dataclass(slots=True)
class Trace:
    """The growth of a run's cumulative losses and costs. Moments are monotonic, ascending.

    based: whether the first values are those from before.
    """

    based: bool = False
    _losses: list[tuple[int, Losses]] = field(default_factory=list)
    _costs: list[array[int]] = field(default_factory=lambda: [array("q") for _ in range(6)])

    def lost(self, now: int, losses: Losses) -> None:
        if self._losses and self._losses[-1][0] >= now:
            self._losses[-1] = (self._losses[-1][0], losses)
        elif not self._losses or self._losses[-1][1] != losses:
            self._losses.append((now, losses))

    def spent(self, cost: Cost) -> None:
        programs = cost.programs
        if self._costs[0] and cost.monotonic_ns <= self._costs[0][-1]:
            return
        values = (
            cost.monotonic_ns,
            sum(each.run_count for each in programs),
            sum(each.run_time_ns for each in programs),
            sum(each.run_count * each.attachment_ns for each in programs),
            int(cost.accounted),
            int(cost.estimated),
        )
        for column, value in zip(self._costs, values, strict=True):
            column.append(value)

    def losses(self, span: Span) -> Losses:
        """The losses in the span."""
        before, after = self._losses_at(span.start), self._losses_at(span.end)
        names = Losses.__struct_fields__
        return Losses(**{name: max(0, getattr(after, name) - getattr(before, name)) for name in names})

    def _losses_at(self, now: int) -> Losses:
        at = bisect_right(self._losses, now, key=lambda each: each[0])
        if self.based and self._losses:
            at = max(at, 1)
        return self._losses[at - 1][1] if at else Losses()

    def cost(self, span: Span) -> CostNow | None:
        """The cost of the programs in the span; the share of a CPU covers the time since the kernel has accounted for
        it.
        """
        moments = self._costs[0]
        first, last = bisect_right(moments, span.start) - 1, bisect_right(moments, span.end) - 1
        if last < 0:
            return None
        first = max(first, 0) if self.based else first
        begun = [column[first] if first >= 0 else 0 for column in self._costs]
        ended = [column[last] for column in self._costs]
        count, spent, attachment = (max(0, ended[at] - begun[at]) for at in (1, 2, 3))
        accounted = self._costs[4][max(0, first) : last + 1]
        since = max(0, first) + (accounted.index(1) if 1 in accounted else 0)
        passed = ended[0] - moments[since]
        whole = passed > 0 and all(self._costs[4][since : last + 1])
        percent = 100 * max(0, ended[2] - self._costs[2][since]) / passed if whole else None
        return CostNow(count, spent, percent, spent / count if count else None, attachment, bool(ended[5]))


class Chapter:
    """One stream of frames: a session, and its events. A tape has several if the collector was restarted.

    began_ns: realtime of the tape's beginning; None before the first sample. origin_ns: monotonic, the same.
    """

    def __init__(self, session: Session | None = None) -> None:
        self.session = session or Session(history=_HOSTS, event_rows=EVENTS, past_bytes=PAST)
        self.traces: dict[int, Trace] = {}
        self.began_ns: int | None = None
        self.origin_ns: int | None = None
        self.unnoticed = 0  # number of moments beyond those kept
        self._moments: list[tuple[int | None, str, str]] = []

    def take(self, at: int, frame: AnyFrame) -> None:
        """Add a frame that arrived `at` ns after the tape's beginning. Raises `BadFrame`."""
        if isinstance(frame, Cost):
            self.trace(frame.run).spent(frame)
            frame = msgspec.structs.replace(frame, programs=[])
        run = self.session.feed(frame)
        match frame:
            case Snapshot() if run is not None and run.last is not None:
                trace = self.trace(run.id)
                trace.based = run.based
                trace.lost(run.last.monotonic_ns, run.losses)
                if self.origin_ns is None:
                    self.origin_ns = frame.monotonic_ns - at
                self.began_ns = self.began_ns or frame.realtime_ns - at
            case Detached() if run is not None:
                if run.last is not None:
                    self.trace(run.id).lost(run.last.monotonic_ns, run.losses)
                if frame.reason:
                    self._happened(at, "detached", f"{run.probe}: {frame.reason}")
            case Rejected() if run is not None and run.failure is not None:
                self._happened(at, "load failed", run.failure.headline)
            case Notice():
                self._happened(at, "notice" if frame.level == "info" else frame.level, frame.text)
            case Host():
                self.began_ns = self.began_ns or frame.realtime_ns - at

    @classmethod
    def of(cls, session: Session) -> Chapter:
        """The current contents of a session; losses and costs are those since attaching."""
        found = cls(session)
        found.began_ns = found.ahead or None
        failures = list(session.failures)
        for run in sorted(session.runs.values(), key=lambda run: run.failed):
            at = next((each for each in failures if each[1] == run.probe), (0, ""))
            if at in failures:
                failures.remove(at)
            if run.failure is not None:
                found._happened(at[0] or None, "load failed", run.failure.headline)
            elif run.stopped:
                found._happened(at[0] or None, "detached", f"{run.probe}: {run.stopped}")
        return found

    def trace(self, run: int) -> Trace:
        return self.traces.setdefault(run, Trace())

    def _happened(self, at: int | None, what: str, text: str) -> None:
        if len(self._moments) < _NOTICES:
            self._moments.append((at, what, text))
        else:
            self.unnoticed += 1

    def moments(self) -> list[Moment]:
        """Events and marks, in order."""
        began = self.began_ns
        found = [
            Moment(None if began is None or at is None else began + at, what, text) for at, what, text in self._moments
        ]
        for mark in self.session.marks:
            found.append(Moment(mark.realtime_ns, "trigger" if mark.origin == "trigger" else "mark", mark.text))
        return sorted(found, key=lambda moment: moment.realtime_ns or 0)

    @property
    def sampled(self) -> Span | None:
        """The span from the first sample of any run to the last."""
        runs = [run for run in self.runs() if run.last is not None]
        if not runs:
            return None
        return Span(min(run.began_ns for run in runs), max(run.last.monotonic_ns for run in runs if run.last))

    @property
    def ahead(self) -> int:
        """Realtime minus monotonic, by the last sample."""
        last = max((run.last for run in self.runs() if run.last), key=lambda sample: sample.monotonic_ns, default=None)
        return last.realtime_ns - last.monotonic_ns if last else 0

    def moment(self, when: float | time) -> int:
        """Monotonic ns of a time given in seconds after the tape's beginning, or of the next such time of day
        after it.
        """
        origin = self.origin_ns or 0
        if not isinstance(when, time):
            return origin + round(when * 1e9)
        began = datetime.fromtimestamp((origin + self.ahead) / 1e9)
        then = datetime.combine(began.date(), when)
        if then < began.replace(microsecond=0):
            then += timedelta(days=1)
        return round(then.timestamp() * 1e9) - self.ahead

    def runs(self) -> list[Run]:
        return list(self.session.runs.values())


@dataclass(slots=True)
class Taped:
    """chapters: the non-empty ones. problem: why the tape is incomplete, in one line, else ""."""

    name: str
    chapters: list[Chapter] = field(default_factory=list)
    problem: str = ""


def read(reader: TapeReader) -> Taped:
    """Read a whole tape; data after damage is left out, and `problem` says so."""
    taped = Taped(reader.name)
    try:
        for at, frame in reader:
            if isinstance(frame, Hello) and not (taped.chapters and not taped.chapters[-1].runs()):
                taped.chapters.append(Chapter())
            taped.chapters[-1].take(at, frame)
    except BadFrame as error:
        taped.problem = str(error)
    if len(taped.chapters) > 1:
        taped.chapters = [each for each in taped.chapters if each.runs()] or taped.chapters[:1]
    return taped
