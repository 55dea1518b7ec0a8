"""Merges several tapes of one host into one, in the order of time.

Runs, processes, stacks and functions are renumbered, because each tape counts from 1; a process that two tapes of one
boot have in common is one process. Clocks continue from those of the first tape.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import structs

from ebpftop.base.errors import UserError
from ebpftop.export.tapes.output import Output
from ebpftop.export.tapes.parts import readable
from ebpftop.frames.columns import Array
from ebpftop.frames.messages import (
    FOLDED,
    GREATEST,
    UNKNOWN,
    Answer,
    AnyFrame,
    Detached,
    Hello,
    Host,
    Mark,
    Notice,
    Process,
    Rejected,
    Snapshot,
)
from ebpftop.frames.renumbering import Renumbered, Shift
from ebpftop.frames.tape import TapeReader

_SAME_BOOT = 10_000_000_000  # ns by which the boot time may differ within one boot: the wall clock is corrected
_MOST = 1 << 32  # numbers must fit the columns of rows


@dataclass
class _Clock:
    """The beginning of a tape: realtime and monotonic ns."""

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
            raise UserError("together, these tapes hold more processes or stacks than one tape can")
        return self.next - 1


@dataclass
class Numbering:
    """The numbers that all tapes share."""

    runs: Numbers = field(default_factory=Numbers)
    processes: Numbers = field(default_factory=Numbers)
    stacks: Numbers = field(default_factory=Numbers)
    functions: Numbers = field(default_factory=Numbers)
    known: dict[tuple[int, int, int], int] = field(default_factory=dict)  # boot, tgid, start → process


def merge(readers: Sequence[TapeReader], output: Output) -> tuple[list[str], list[str]]:
    """Write all frames. Returns notes on unusual merging, and why not all frames could be read.

    Raises `UserError` for tapes of different hosts or too far apart, and for one without the time of its recording.
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
        if at > GREATEST:
            raise UserError("the times of these tapes are further apart than one tape can hold")
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
            told.append(
                f"{reader.name} starts {(end - begin) / 1e9:.1f} s before another ends: their frames are interleaved"
            )
        if abs(clock.hello.boot_realtime_ns - first.hello.boot_realtime_ns) >= _SAME_BOOT:
            told.append(f"{reader.name} is from another boot: its clocks continue from those of the first tape")
        if clock.hello.kernel != first.hello.kernel:
            told.append(f"{reader.name} is from another kernel: {ascii(clock.hello.kernel)[1:-1]}")
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
    """(time in the merged tape, number of the tape, frame); runs that are still loaded at the end of a tape are
    detached there.
    """
    shift = clock.realtime_ns - first.realtime_ns
    at = shift
    if number and (clock.hello.kernel, clock.hello.boot_realtime_ns) != (
        first.hello.kernel,
        first.hello.boot_realtime_ns,
    ):
        yield at, number, Notice(level="info", text=f"from here on, also Linux {clock.hello.kernel}, {reader.name}")
    for passed, frame in readable(iter(reader), problems):
        at = passed + shift
        if not isinstance(frame, Hello):
            yield at, number, renumbered.frame(frame)
    for run in renumbered.running():
        yield at, number, Detached(run=run)


class _Numbers:
    """Numbers of one kind on one tape, mapped to those in the merged one."""

    def __init__(self, shared: Numbers, known: dict[int, int] | None = None) -> None:
        self.known = known or {}
        self._shared = shared

    def one(self, number: int) -> int:
        if number not in self.known:
            self.known[number] = self._shared.new()
        return self.known[number]

    def all(self, numbers: Array) -> Array:
        distinct, at = np.unique(numbers, return_inverse=True)
        return np.array([self.one(each) for each in distinct.tolist()], np.int64)[at]


class _Renumbered(Renumbered):
    """Frames of one tape as frames of the merged one."""

    def __init__(self, shared: Numbering, first: _Clock, clock: _Clock, boot: int) -> None:
        same = abs(clock.hello.boot_realtime_ns - first.hello.boot_realtime_ns) < _SAME_BOOT
        elapsed = clock.realtime_ns - first.realtime_ns
        shift = Shift(
            boottime=0 if same else clock.hello.boot_realtime_ns - first.hello.boot_realtime_ns,
            monotonic=0 if same else first.monotonic_ns + elapsed - clock.monotonic_ns,
        )
        self._shared, self._boot = shared, boot
        self._of_runs = _Numbers(shared.runs)
        self._people = _Numbers(shared.processes, {FOLDED: FOLDED, UNKNOWN: UNKNOWN})
        stacks, functions = _Numbers(shared.stacks), _Numbers(shared.functions)
        super().__init__(shift, self._of_runs.one, self._people, stacks, functions)
        self._ended: set[int] = set()

    def running(self) -> list[int]:
        return [run for run in self._of_runs.known.values() if run not in self._ended]

    def frame(self, frame: AnyFrame) -> AnyFrame:
        found = super().frame(frame)
        if isinstance(found, Rejected | Detached):
            self._ended.add(found.run)
        return structs.replace(found, request=0) if isinstance(found, Answer) else found

    def process(self, process: Process) -> Process:
        known = self._people.known
        if process.id not in known:
            key = self._boot, process.tgid, process.start_ns
            if key not in self._shared.known:
                self._shared.known[key] = self._shared.processes.new()
            known[process.id] = self._shared.known[key]
        return super().process(process)
