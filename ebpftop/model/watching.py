"""Watches a stream for triggers; each fires once per episode.

All times are those of the samples. An episode ends when the condition hasn't held for `CALM`, or for the trigger's own
time if that is longer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values, unpack
from ebpftop.frames.marks import line
from ebpftop.frames.messages import (
    AnyFrame,
    ColumnInfo,
    Detached,
    Events,
    Hello,
    Loaded,
    Mark,
    Notice,
    Process,
    Snapshot,
)
from ebpftop.frames.recent import Recent
from ebpftop.model.tape_folder import TapeFolder
from ebpftop.model.trigger import ADDED_UP, BadTrigger, Condition, Trigger, bind
from ebpftop.stats import formatting
from ebpftop.stats.histogram import Histogram

if TYPE_CHECKING:
    from ebpftop.model.run import Run

CALM = 10.0  # seconds
Processes = Mapping[int, Process]


class Watching:
    """Takes every frame, after the session. recent: gets every frame and mark. folder: writes a tape of each episode
    from the recent frames.
    """

    def __init__(
        self, triggers: Sequence[Trigger], recent: Recent | None = None, folder: TapeFolder | None = None
    ) -> None:
        self.recent = recent
        self._triggers = list(triggers)
        self._folder = folder
        self._watches: dict[int, list[_Watch]] = {}  # by run

    def take(self, frame: AnyFrame, run: Run | None, processes: Processes) -> list[Mark | Notice]:
        """Handle this frame of this run: returns marks of triggers that fire, and lines for the user."""
        told: list[Mark | Notice] = [*self._keep(frame)]
        for found in self._judge(frame, run, processes):
            told.append(found)
            if isinstance(found, Mark):
                told += self._keep(found)
                if self._folder is not None and run is not None:
                    told += self._folder.save(found, run.probe)
        return told

    def _keep(self, frame: AnyFrame) -> list[Notice]:
        if self.recent is not None:
            self.recent.add(frame)
        return self._folder.take(frame) if self._folder is not None else []

    def close(self) -> list[Notice]:
        """End the tape that is being written."""
        return self._folder.close() if self._folder else []

    def _judge(self, frame: AnyFrame, run: Run | None, processes: Processes) -> list[Mark | Notice]:
        match frame:
            case Hello():
                self._watches.clear()
            case Loaded() if run is not None and frame.run not in self._watches:
                return self._begin(run)
            case Events() if run is not None:
                for watch in self._watches.get(run.id, []):
                    watch.add(frame, processes)
            case Snapshot() if run is not None:
                fired = [watch.look(run, processes) for watch in self._watches.get(run.id, [])]
                return [mark for mark in fired if mark is not None]
            case Detached():
                self._watches.pop(frame.run, None)
        return []

    def add(self, trigger: Trigger, runs: Iterable[Run]) -> list[Mark | Notice]:
        """Add a trigger, also for these running probes; a known trigger changes nothing."""
        if trigger in self._triggers:
            return []
        self._triggers.append(trigger)
        return [told for run in runs if run.state == "running" for told in self._watch(trigger, run)]

    def _begin(self, run: Run) -> list[Mark | Notice]:
        self._watches[run.id] = []
        return [told for trigger in self._triggers for told in self._watch(trigger, run)]

    def _watch(self, trigger: Trigger, run: Run) -> list[Mark | Notice]:
        if trigger.probe not in (run.probe, run.probe.partition("/")[2]):
            return []
        try:
            self._watches.setdefault(run.id, []).append(_Watch(bind(trigger, run.views), run))
        except BadTrigger as error:
            return [Notice(level="warning", text=f"{trigger.text}: never fires: {error}")]
        return []


class _Watch:
    """One condition on one run."""

    def __init__(self, condition: Condition, run: Run) -> None:
        self._on = condition
        self._seq = -1  # of the last sample
        self._since: int | None = None  # when what must stay began to hold
        self._parts: deque[tuple[int, int]] = deque()  # of what is added up: when and how many
        self._new: list[Array] = []  # of events since the last sample: their values, or 1 for each
        self._losses = self._lost(run)  # until the last sample, or from before there was a condition
        self._active = False  # in an episode
        self._calm: int | None = None  # since when it hasn't held in one

    def add(self, frame: Events, processes: Processes) -> None:
        """Events that belong to the next sample."""
        view = self._on.view
        if view is None or view.show != "events" or view.map != frame.map:
            return
        columns = unpack(frame.columns)
        rows = len(next(iter(columns.values()), ()))
        chosen = holding(columns, view.columns, self._on.trigger.words, processes, rows)
        values = columns.get(self._on.field) if self._on.kind == "gauge" else None
        numbers = values if isinstance(values, np.ndarray) else np.ones(rows, np.int64)
        self._new.append(numbers[chosen])

    def look(self, run: Run, processes: Processes) -> Mark | None:
        """Evaluate a sample."""
        last, previous = run.last, run.previous
        if last is None or last.seq == self._seq:
            return None
        self._seq = last.seq
        now = last.monotonic_ns
        found = self._found(run, processes, last.seconds_since(previous)) if previous else None
        self._new.clear()
        self._losses = self._lost(run)
        if previous is None:
            return None
        value, told = found or (None, None)
        if self._on.kind in ADDED_UP:
            value = self._added_up(now, previous.monotonic_ns, int(value or 0))
            told = self._told(value)
        holds = value is not None and self._is_beyond(value)
        if not self._fires(holds, now, previous.monotonic_ns):
            return None
        return Mark(
            realtime_ns=last.realtime_ns,
            monotonic_ns=now,
            boottime_ns=last.boottime_ns,
            text=line(f"{self._on.trigger.text}: {told}"),
            origin="trigger",
        )

    def _fires(self, holds: bool, now: int, before: int) -> bool:
        wanted = round(self._on.trigger.seconds * 1e9)
        if self._active:
            self._calm = None if holds else self._calm if self._calm is not None else now
            if self._calm is not None and now - self._calm >= max(round(CALM * 1e9), wanted):
                self._active, self._since = False, None
            return False
        if not holds:
            self._since = None
            return False
        self._since = before if self._since is None else self._since
        held = now - self._since + (now - before) // 2  # the nearest number of samples
        if self._on.kind not in ADDED_UP and held < wanted:
            return False
        self._active, self._calm = True, None
        return True

    def _added_up(self, now: int, before: int, count: int) -> int:
        self._parts.append((now, count))
        span = max(round(self._on.trigger.seconds * 1e9), now - before)
        while self._parts[0][0] <= now - span:
            self._parts.popleft()
        return sum(each for _, each in self._parts)

    def _is_beyond(self, value: float) -> bool:
        limit = self._on.limit
        match self._on.trigger.op:
            case ">":
                return value > limit
            case ">=":
                return value >= limit
            case "<":
                return value < limit
        return value <= limit

    def _told(self, value: float) -> str:
        unit = self._on.unit
        return formatting.rate(value, unit) if self._on.kind == "rate" else formatting.value(value, unit)

    # ------------------------------------------------------------ values

    def _lost(self, run: Run) -> int:
        return int(getattr(run.losses, self._on.field)) if self._on.kind == "loss" else 0

    def _found(self, run: Run, processes: Processes, seconds: float) -> tuple[float | None, str] | None:
        """The value of the last interval, and its formatted form; None if there is none."""
        on = self._on
        if on.kind == "loss":
            return self._lost(run) - self._losses, ""
        if on.view is not None and on.view.show == "events":
            return self._of_events(seconds)
        ledger = run.ledgers.get(on.view.name) if on.view else None
        if ledger is None or on.view is None:
            return None
        infos = on.view.columns if on.view.show == "table" else on.view.by_columns
        keys = {name: ledger.values(name) for name in ledger.keys}
        rows = holding(keys, infos, on.trigger.words, processes, ledger.rows)
        if on.kind == "gauge":
            values = ledger.values(on.field)
            return self._extreme(values[rows & ledger.present]) if isinstance(values, np.ndarray) else None
        gained = ledger.deltas[on.field]
        if on.kind == "percentile":
            return self._percentile(Histogram.of(ledger.numbers(on.view.slot)[rows], gained[rows]))
        return self._amount(float(gained[rows].sum()), seconds)

    def _of_events(self, seconds: float) -> tuple[float | None, str] | None:
        values = np.concatenate(self._new) if self._new else np.zeros(0, np.int64)
        return self._extreme(values) if self._on.kind == "gauge" else self._amount(float(len(values)), seconds)

    def _amount(self, gained: float, seconds: float) -> tuple[float | None, str]:
        if self._on.kind != "rate":
            return gained, self._told(gained)
        if not seconds:
            return None, ""
        return gained / seconds, self._told(gained / seconds)

    def _extreme(self, values: Array) -> tuple[float | None, str] | None:
        if not len(values):
            return None
        pick: Callable[[Array], float] = np.max if self._on.trigger.op.startswith(">") else np.min
        value = float(pick(values))
        return value, self._told(value)

    def _percentile(self, histogram: Histogram) -> tuple[float | None, str] | None:
        """The bound that is certainly beyond a limit if the percentile is."""
        bounds = histogram.quantile(self._on.quantile)
        if bounds is None:
            return None
        lo, hi = bounds
        return lo if self._on.trigger.op.startswith(">") else hi - 1, formatting.bounds(lo, hi, self._on.unit)


def holding(
    columns: Mapping[str, Values],
    infos: Sequence[ColumnInfo],
    words: Sequence[str],
    processes: Processes,
    rows: int,
) -> Array:
    """A mask of the rows that contain all words, each in any column: in a label, in a process's name, command line or
    pid, or as a whole number.
    """
    chosen = np.ones(rows, bool)
    if not words:
        return chosen
    for word in words:
        found = np.zeros(rows, bool)
        for info in infos:
            values = columns.get(info.field)
            if values is not None and info.decode != "time":
                found |= _rows_with(word, values, info, processes)
        chosen &= found
    return chosen


def _rows_with(word: str, values: Values, info: ColumnInfo, processes: Processes) -> Array:
    if isinstance(values, Labels):
        return np.isin(values.codes, [code for code, label in enumerate(values.labels) if word in label.casefold()])
    if info.is_process:
        numbers = np.unique(values).tolist()
        return np.isin(values, [number for number in numbers if word in _text(processes.get(number))])
    return values == int(word) if word.isdecimal() and values.dtype.kind in "ui" else np.zeros(len(values), bool)


def _text(process: Process | None) -> str:
    return f"{process.comm} {process.command} {process.tgid}".casefold() if process else ""
