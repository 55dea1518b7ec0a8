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
    GREATEST,
    AnyFrame,
    Column,
    ColumnInfo,
    Columns,
    Cost,
    Detached,
    Detaching,
    Events,
    Function,
    Loaded,
    Loading,
    Mark,
    Process,
    Processes,
    Programs,
    Rejected,
    Snapshot,
    Stack,
    Stacks,
    Threads,
    ViewInfo,
)
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


class Renumbered:
    """Frames of one stream. runs: the number of a run in the other one."""

    def __init__(
        self, shift: Shift, runs: Callable[[int], int], processes: Numbers, stacks: Numbers, functions: Numbers
    ) -> None:
        self._shift, self._runs = shift, runs
        self._processes, self._stacks, self._functions = processes, stacks, functions
        self._views: dict[int, list[ViewInfo]] = {}

    def frame(self, frame: AnyFrame) -> AnyFrame:
        """The frame with other numbers and clocks."""
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
                later = None if since is None else moved(since, self._shift.monotonic)
                return structs.replace(frame, accounted_since_ns=later, **self._times(frame))
            case Threads():
                return self._threads(frame)
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
                return structs.replace(frame, run=run, monotonic_ns=moved(frame.monotonic_ns, self._shift.monotonic))
        return structs.replace(frame, run=run)

    def _threads(self, frame: Threads) -> Threads:
        def known(ns: int, by: int) -> int:
            return moved(ns, by) if ns else 0  # 0: not known

        mono, boot = self._shift.monotonic, self._shift.boottime
        begun = [
            structs.replace(wait, since_ns=known(wait.since_ns, mono), woken_ns=known(wait.woken_ns, mono))
            for wait in frame.waits
        ]
        threads = [structs.replace(each, start_ns=known(each.start_ns, boot)) for each in frame.threads]
        return structs.replace(frame, threads=threads, waits=begun, **self._times(frame))

    def _realtime(self, ns: int) -> int:
        return moved(ns, self._shift.realtime)

    def _times(self, frame: Snapshot | Mark | Programs | Threads) -> dict[str, int]:
        return {
            "monotonic_ns": moved(frame.monotonic_ns, self._shift.monotonic),
            "boottime_ns": moved(frame.boottime_ns, self._shift.boottime),
        }

    def process(self, process: Process) -> Process:
        ended = process.ended_ns
        return structs.replace(
            process,
            id=self._processes.one(process.id),
            start_ns=moved(process.start_ns, self._shift.boottime),
            ended_ns=None if ended is None else moved(ended, self._shift.boottime),
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
            result[name] = _later(columns[name], self._shift.realtime)
        if STACK in columns and any(view.show == "stacks" for view in views):
            result[STACK] = _mapped(columns[STACK], self._stacks)
        if any(view.moments == map_ for view in views) and "time" in columns:
            result["time"] = _later(columns["time"], self._shift.monotonic)
        return result


def moved(ns: int, by: int) -> int:
    """A time on another clock, within what a frame can hold."""
    return min(max(0, ns + by), GREATEST)


def _fields(views: list[ViewInfo], wanted: Callable[[ColumnInfo], bool]) -> set[str]:
    return {column.field for view in views for column in view.columns if wanted(column)}


def _later(column: Column, ns: int) -> Column:
    """A column of times, shifted."""
    if not ns or column.dtype != "<u8" or len(column.data) % 8:
        return column
    times = np.minimum(np.frombuffer(column.data, "<u8"), GREATEST).astype("<i8")
    times += min(max(-GREATEST, ns), GREATEST)
    return Column(dtype="<u8", data=np.maximum(times, 0).tobytes())


def _mapped(column: Column, numbers: Numbers) -> Column:
    """A column of numbers, each replaced. Invalid ones stay unchanged: the unpacking side refuses them."""
    if not ALLOWED.fullmatch(column.dtype):
        return column
    dtype = np.dtype(column.dtype)
    if column.labels is not None or dtype.kind not in "iu" or len(column.data) % dtype.itemsize:
        return column
    wide = dtype if dtype.itemsize >= 4 else np.dtype("<u4")
    return Column(dtype=wide.str, data=numbers.all(np.frombuffer(column.data, dtype)).astype(wide).tobytes())
