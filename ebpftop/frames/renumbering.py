"""Converts frames of one stream to frames of another, with other numbers of runs, processes, stacks and functions, and
other clocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from msgspec import Struct, structs

from ebpftop.frames.columns import ALLOWED, Array
from ebpftop.frames.messages import (
    AnyFrame,
    Column,
    ColumnInfo,
    Columns,
    Cost,
    Detached,
    Detaching,
    Events,
    Function,
    Host,
    Loaded,
    Loading,
    Mark,
    Process,
    Processes,
    ProcessFacts,
    Programs,
    Rejected,
    Snapshot,
    Stack,
    Stacks,
    Threads,
    ViewInfo,
)
from ebpftop.frames.messages.base import GREATEST
from ebpftop.frames.stacks import STACK


class Numbers(Protocol):
    """Numbers of one kind in the other stream, each assigned when it is first needed."""

    def one(self, number: int) -> int: ...

    def all(self, numbers: Array) -> Array:
        """The numbers of a whole column."""
        ...


class Shift(Struct, frozen=True):
    """How many ns the other stream's clocks are ahead."""

    realtime: int = 0
    monotonic: int = 0
    boottime: int = 0


class Latest(Struct, frozen=True):
    """The latest times that the other stream can contain; by default all that a frame can carry."""

    realtime: int = GREATEST
    monotonic: int = GREATEST
    boottime: int = GREATEST


class Renumbered:
    """Frames of one stream. runs: the number of a run in the other one. latest: later times are cut to these. cut:
    whether any were.
    """

    def __init__(
        self,
        shift: Shift,
        runs: Callable[[int], int],
        processes: Numbers,
        stacks: Numbers,
        functions: Numbers,
        latest: Callable[[], Latest] = Latest,
    ) -> None:
        self.cut = False
        self._latest_now, self._latest = latest, latest()
        self._shift, self._runs = shift, runs
        self._processes, self._stacks, self._functions = processes, stacks, functions
        self._views: dict[int, list[ViewInfo]] = {}

    def frame(self, frame: AnyFrame) -> AnyFrame:
        """The frame with other numbers and clocks."""
        self._latest = self._latest_now()
        match frame:
            case Processes():
                return Processes(processes=[self.process(each) for each in frame.processes])
            case Stacks():
                functions, stacks = map(self._function, frame.functions), map(self._stack, frame.stacks)
                return Stacks(functions=list(functions), stacks=list(stacks))
            case Mark():
                return structs.replace(frame, realtime_ns=self._realtime(frame.realtime_ns), **self._times(frame))
            case Programs():
                since = frame.accounted_since_ns
                moved = None if since is None else self._monotonic(since)
                programs = [structs.replace(each, loaded_ns=self._boottime(each.loaded_ns)) for each in frame.programs]
                return structs.replace(frame, programs=programs, accounted_since_ns=moved, **self._times(frame))
            case Threads():
                return self._threads(frame)
            case Host():
                return structs.replace(frame, realtime_ns=self._realtime(frame.realtime_ns))
            case ProcessFacts():
                return self._facts(frame)
            case Loading() | Loaded() | Rejected() | Snapshot() | Events() | Cost() | Detaching() | Detached():
                return self._of_run(frame)
        return frame

    def _of_run(self, frame: Loading | Loaded | Rejected | Snapshot | Events | Cost | Detaching | Detached) -> AnyFrame:
        run = self._runs(frame.run)
        match frame:
            case Loaded():
                self._views[frame.run] = frame.views
            case Snapshot():
                maps = {name: self._columns(frame.run, name, columns) for name, columns in frame.maps.items()}
                realtime = self._realtime(frame.realtime_ns)
                return structs.replace(frame, run=run, maps=maps, realtime_ns=realtime, **self._times(frame))
            case Events():
                return structs.replace(frame, run=run, columns=self._columns(frame.run, frame.map, frame.columns))
            case Cost():
                return structs.replace(frame, run=run, monotonic_ns=self._monotonic(frame.monotonic_ns))
        return structs.replace(frame, run=run)

    def _threads(self, frame: Threads) -> Threads:
        def monotonic(ns: int) -> int:
            return self._monotonic(ns) if ns else 0  # 0: not known

        begun = [
            structs.replace(wait, since_ns=monotonic(wait.since_ns), woken_ns=monotonic(wait.woken_ns))
            for wait in frame.waits
        ]
        threads = [
            structs.replace(each, start_ns=self._boottime(each.start_ns) if each.start_ns else 0)
            for each in frame.threads
        ]
        return structs.replace(frame, threads=threads, waits=begun, **self._times(frame))

    def _facts(self, facts: ProcessFacts) -> ProcessFacts:
        return structs.replace(
            facts,
            start_ns=self._boottime(facts.start_ns),
            boottime_ns=self._boottime(facts.boottime_ns),
            ancestors=[structs.replace(each, start_ns=self._boottime(each.start_ns)) for each in facts.ancestors],
        )

    def _realtime(self, ns: int) -> int:
        return self._moved(ns + self._shift.realtime, self._latest.realtime)

    def _monotonic(self, ns: int) -> int:
        return self._moved(ns + self._shift.monotonic, self._latest.monotonic)

    def _boottime(self, ns: int) -> int:
        return self._moved(ns + self._shift.boottime, self._latest.boottime)

    def _moved(self, ns: int, latest: int) -> int:
        self.cut = self.cut or ns > latest
        return min(max(0, ns), latest)

    def _times(self, frame: Snapshot | Mark | Programs | Threads) -> dict[str, int]:
        return {"monotonic_ns": self._monotonic(frame.monotonic_ns), "boottime_ns": self._boottime(frame.boottime_ns)}

    def process(self, process: Process) -> Process:
        ended = process.ended_ns
        return structs.replace(
            process,
            id=self._processes.one(process.id),
            start_ns=self._boottime(process.start_ns),
            ended_ns=None if ended is None else self._boottime(ended),
        )

    def _function(self, function: Function) -> Function:
        return structs.replace(function, id=self._functions.one(function.id))

    def _stack(self, stack: Stack) -> Stack:
        return Stack(id=self._stacks.one(stack.id), functions=[self._functions.one(each) for each in stack.functions])

    def _columns(self, run: int, map_: str, columns: Columns) -> Columns:
        views = [view for view in self._views.get(run, []) if map_ in (view.map, view.moments)]
        result = dict(columns)
        for name in _fields(views, lambda column: column.is_process) & columns.keys():
            result[name] = _mapped(columns[name], self._processes)
        for name in _fields(views, lambda column: column.decode == "time") & columns.keys():
            result[name] = _later(columns[name], self._shift.realtime, self._latest.realtime)
        if STACK in columns and any(view.show == "stacks" for view in views):
            result[STACK] = _mapped(columns[STACK], self._stacks)
        if any(view.moments == map_ for view in views) and "time" in columns:
            result["time"] = _later(columns["time"], self._shift.monotonic, self._latest.monotonic)
        return result


def _fields(views: list[ViewInfo], wanted: Callable[[ColumnInfo], bool]) -> set[str]:
    return {column.field for view in views for column in view.columns if wanted(column)}


def _later(column: Column, ns: int, latest: int) -> Column:
    """A column of times, shifted."""
    if not ns or column.dtype != "<u8" or len(column.data) % 8:
        return column
    times = np.frombuffer(column.data, "<u8").clip(max(0, -ns), max(0, latest - ns))
    return Column(dtype="<u8", data=(times.astype("<i8") + ns).tobytes())


def _mapped(column: Column, numbers: Numbers) -> Column:
    """A column of numbers, each replaced. Invalid ones stay unchanged: the unpacking side refuses them."""
    if not ALLOWED.fullmatch(column.dtype):
        return column
    dtype = np.dtype(column.dtype)
    if column.labels is not None or dtype.kind not in "iu" or len(column.data) % dtype.itemsize:
        return column
    wide = dtype if dtype.itemsize >= 4 else np.dtype("<u4")
    return Column(dtype=wide.str, data=numbers.all(np.frombuffer(column.data, dtype)).astype(wide).tobytes())
