"""Several tapes of one host as one, in the order of time.

Runs, processes, stacks and functions get numbers of their own, since each tape counts from 1; a process that two tapes
of one boot know is one. Clocks go on from those of the first tape.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import structs

from ebpftop.base.errors import UserError
from ebpftop.export.tapes.output import Output
from ebpftop.export.tapes.parts import readable
from ebpftop.frames.columns import Array
from ebpftop.frames.messages import (
    FOLDED,
    UNKNOWN,
    AnyFrame,
    Column,
    Columns,
    Cost,
    Detached,
    Detaching,
    Events,
    Function,
    Hello,
    Host,
    Loaded,
    Loading,
    Mark,
    Notice,
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
from ebpftop.frames.tape import TapeReader

_SAME_BOOT = 10_000_000_000  # ns by which the time of one boot may differ: the clock on the wall is corrected
_MOST = 1 << 32  # numbers must fit the columns of rows


@dataclass
class _Clock:
    """When a tape began: realtime and monotonic ns."""

    hello: Hello
    realtime_ns: int
    monotonic_ns: int


@dataclass
class Numbers:
    """Numbers of one kind in the merged tape."""

    next: int = 1

    def new(self) -> int:
        self.next += 1
        if self.next >= _MOST:
            raise UserError("together these tapes hold more processes or stacks than a tape can number")
        return self.next - 1


@dataclass
class Numbering:
    """What all tapes share."""

    runs: Numbers = field(default_factory=Numbers)
    processes: Numbers = field(default_factory=Numbers)
    stacks: Numbers = field(default_factory=Numbers)
    functions: Numbers = field(default_factory=Numbers)
    known: dict[tuple[int, int, int], int] = field(default_factory=dict)  # boot, tgid, start → process


def merge(readers: Sequence[TapeReader], output: Output) -> tuple[list[str], list[str]]:
    """Write all frames. Returns how they were merged where that isn't plain, and why not all could be read.

    Raises `UserError` for tapes of different hosts, and for one that doesn't say when it was recorded.
    """
    clocks = sorted(((_clock(reader), reader) for reader in readers), key=lambda pair: pair[0].realtime_ns)
    hosts = sorted({clock.hello.host for clock, _ in clocks})
    if len(hosts) > 1:
        raise UserError(f"tapes of different hosts can't be merged: {', '.join(map(ascii, hosts))}")
    first = clocks[0][0]
    how = _how(clocks)
    problems: list[str] = []
    shared = Numbering()
    streams: list[Iterator[tuple[int, int, AnyFrame]]] = []
    boots: list[int] = []
    for number, (clock, reader) in enumerate(clocks):
        boot = next((each for each in boots if abs(each - clock.hello.boot_realtime_ns) < _SAME_BOOT), None)
        boots.append(clock.hello.boot_realtime_ns if boot is None else boot)
        streams.append(_stream(number, reader, _Renumbered(shared, first, clock, boots[-1]), clock, first, problems))
    output.write(0, first.hello)
    for at, _, frame in heapq.merge(*streams, key=lambda each: each[:2]):
        output.write(at, frame)
    return how, problems


def _clock(reader: TapeReader) -> _Clock:
    hello: Hello | None = None
    realtime = monotonic = None
    for at, frame in readable(iter(reader), []):
        if isinstance(frame, Hello):
            hello = hello or frame
        elif isinstance(frame, Snapshot | Mark):
            realtime = frame.realtime_ns - at if realtime is None else realtime
            monotonic = frame.monotonic_ns - at
            break
        elif isinstance(frame, Host) and realtime is None:
            realtime = frame.realtime_ns - at
    if hello is None or realtime is None:
        raise UserError(f"{reader.name} doesn't say when it was recorded")
    return _Clock(hello, realtime, 0 if monotonic is None else monotonic)


def _how(clocks: Sequence[tuple[_Clock, TapeReader]]) -> list[str]:
    told = []
    end, first = 0, clocks[0][0]
    for clock, reader in clocks:
        begin = clock.realtime_ns
        if end and begin < end:
            told.append(f"{reader.name} begins {(end - begin) / 1e9:.1f} s before another ends: their frames alternate")
        if abs(clock.hello.boot_realtime_ns - first.hello.boot_realtime_ns) >= _SAME_BOOT:
            told.append(f"{reader.name} is of another boot: its clocks go on from those of the first tape")
        if clock.hello.kernel != first.hello.kernel:
            told.append(f"{reader.name} is of another kernel: {ascii(clock.hello.kernel)[1:-1]}")
        end = max(end, begin + round(reader.duration * 1e9))
    return told


def _stream(
    number: int,
    reader: TapeReader,
    renumbered: _Renumbered,
    clock: _Clock,
    first: _Clock,
    problems: list[str],
) -> Iterator[tuple[int, int, AnyFrame]]:
    """(time in the merged tape, number of the tape, frame); what ran at the end of one is detached there."""
    shift = clock.realtime_ns - first.realtime_ns
    at = shift
    if number and (clock.hello.kernel, clock.hello.boot_realtime_ns) != (
        first.hello.kernel,
        first.hello.boot_realtime_ns,
    ):
        yield at, number, Notice(level="info", text=f"from here on also Linux {clock.hello.kernel}, {reader.name}")
    for passed, frame in readable(iter(reader), problems):
        at = passed + shift
        if not isinstance(frame, Hello):
            yield at, number, renumbered.frame(frame)
    for run in renumbered.running():
        yield at, number, Detached(run=run)


class _Renumbered:
    """Frames of one tape as frames of the merged one."""

    def __init__(self, shared: Numbering, first: _Clock, clock: _Clock, boot: int) -> None:
        self._shared, self._boot = shared, boot
        same = abs(clock.hello.boot_realtime_ns - first.hello.boot_realtime_ns) < _SAME_BOOT
        self._boottime = 0 if same else clock.hello.boot_realtime_ns - first.hello.boot_realtime_ns
        elapsed = clock.realtime_ns - first.realtime_ns
        self._monotonic = 0 if same else first.monotonic_ns + elapsed - clock.monotonic_ns
        self._runs: dict[int, int] = {}
        self._views: dict[int, list[ViewInfo]] = {}
        self._processes: dict[int, int] = {FOLDED: FOLDED, UNKNOWN: UNKNOWN}
        self._stacks: dict[int, int] = {}
        self._functions: dict[int, int] = {}
        self._ended: set[int] = set()

    def running(self) -> list[int]:
        return [run for run in self._runs.values() if run not in self._ended]

    def frame(self, frame: AnyFrame) -> AnyFrame:
        """The frame with other numbers and clocks."""
        match frame:
            case Processes():
                return Processes(processes=[self._process(each) for each in frame.processes])
            case Stacks():
                functions, stacks = map(self._function, frame.functions), map(self._stack, frame.stacks)
                return Stacks(functions=list(functions), stacks=list(stacks))
            case Mark():
                return structs.replace(frame, **self._times(frame.monotonic_ns, frame.boottime_ns))
            case Programs():
                since = frame.accounted_since_ns
                moved = None if since is None else max(0, since + self._monotonic)
                times = self._times(frame.monotonic_ns, frame.boottime_ns)
                return structs.replace(frame, accounted_since_ns=moved, **times)
            case Threads():
                begun = [
                    structs.replace(wait, since_ns=max(0, wait.since_ns + self._monotonic)) for wait in frame.waits
                ]
                return structs.replace(frame, waits=begun, **self._times(frame.monotonic_ns, frame.boottime_ns))
            case Loading() | Loaded() | Rejected() | Snapshot() | Events() | Cost() | Detaching() | Detached():
                return self._of_run(frame)
        return frame

    def _of_run(self, frame: Loading | Loaded | Rejected | Snapshot | Events | Cost | Detaching | Detached) -> AnyFrame:
        run = _number(self._runs, frame.run, self._shared.runs.new)
        if isinstance(frame, Rejected | Detached):
            self._ended.add(run)
        match frame:
            case Loading() | Rejected():
                return structs.replace(frame, run=run, request=0)
            case Loaded():
                self._views[frame.run] = frame.views
                return structs.replace(frame, run=run, request=0)
            case Snapshot():
                maps = {name: self._columns(frame.run, name, columns) for name, columns in frame.maps.items()}
                times = self._times(frame.monotonic_ns, frame.boottime_ns)
                return structs.replace(frame, run=run, maps=maps, **times)
            case Events():
                return structs.replace(frame, run=run, columns=self._columns(frame.run, frame.map, frame.columns))
            case Cost():
                return structs.replace(frame, run=run, monotonic_ns=max(0, frame.monotonic_ns + self._monotonic))
        return structs.replace(frame, run=run)

    def _times(self, monotonic_ns: int, boottime_ns: int) -> dict[str, int]:
        return {
            "monotonic_ns": max(0, monotonic_ns + self._monotonic),
            "boottime_ns": max(0, boottime_ns + self._boottime),
        }

    def _process(self, process: Process) -> Process:
        if process.id not in self._processes:
            key = self._boot, process.tgid, process.start_ns
            self._processes[process.id] = _number(self._shared.known, key, self._shared.processes.new)
        ended = process.ended_ns
        return structs.replace(
            process,
            id=self._processes[process.id],
            start_ns=max(0, process.start_ns + self._boottime),
            ended_ns=None if ended is None else max(0, ended + self._boottime),
        )

    def _function(self, function: Function) -> Function:
        return structs.replace(function, id=_number(self._functions, function.id, self._shared.functions.new))

    def _stack(self, stack: Stack) -> Stack:
        functions = [_number(self._functions, each, self._shared.functions.new) for each in stack.functions]
        return Stack(id=_number(self._stacks, stack.id, self._shared.stacks.new), functions=functions)

    def _columns(self, run: int, map_: str, columns: Columns) -> Columns:
        views = [view for view in self._views.get(run, []) if map_ in (view.map, view.moments)]
        processes = {column.field for view in views for column in view.columns if column.is_process}
        result = dict(columns)
        for name in processes & columns.keys():
            result[name] = _mapped(columns[name], self._processes, self._shared.processes.new)
        if STACK in columns and any(view.show == "stacks" for view in views):
            result[STACK] = _mapped(columns[STACK], self._stacks, self._shared.stacks.new)
        if any(view.moments == map_ for view in views) and "time" in columns:
            result["time"] = _later(columns["time"], self._monotonic)
        return result


def _later(column: Column, ns: int) -> Column:
    """A column of times, each moved."""
    if column.dtype != "<u8" or len(column.data) % 8:
        return column
    times = np.frombuffer(column.data, "<i8") + ns
    return Column(dtype="<u8", data=np.maximum(times, 0).tobytes())


def _number(known: dict[int, int] | dict[tuple[int, int, int], int], key: object, new: Callable[[], int]) -> int:
    numbers: dict[object, int] = known  # type: ignore[assignment]
    if key not in numbers:
        numbers[key] = new()
    return numbers[key]


def _mapped(column: Column, known: dict[int, int], new: Callable[[], int]) -> Column:
    """A column of numbers, each replaced."""
    dtype = np.dtype(column.dtype)
    if column.labels is not None or dtype.kind not in "iu" or len(column.data) % dtype.itemsize:
        return column
    values: Array = np.frombuffer(column.data, dtype)
    distinct, at = np.unique(values, return_inverse=True)
    numbers = [_number(known, each, new) for each in distinct.tolist()]
    wide = dtype if dtype.itemsize >= 4 else np.dtype("<u4")
    return Column(dtype=wide.str, data=np.array(numbers, wide)[at].tobytes())
