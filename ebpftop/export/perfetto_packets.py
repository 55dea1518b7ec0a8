"""Packets of Perfetto's traces: tracks, counters, slices, instants, and samples of call stacks.

Field numbers are those of https://github.com/google/perfetto/tree/main/protos/perfetto/trace. Times are realtime ns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

from ebpftop.base.inert import inert
from ebpftop.base.protobuf import Message
from ebpftop.export.stack_report import Samples
from ebpftop.frames.columns import Array
from ebpftop.frames.messages import Function
from ebpftop.model.stacks import StackFrame

Place = tuple[str, ...]  # of a track: the names of the enclosing tracks, then its own

_SEQUENCE = 1  # all packets have one writer
_REALTIME = 1  # BuiltinClock
_BEGIN, _END, _INSTANT, _COUNTER = 1, 2, 3, 4  # TrackEvent.Type
_UNITS, _COUNT = {"ns": 1, "bytes": 3}, 2  # CounterDescriptor.Unit
_CLEARED, _NEEDS = 1, 2  # TracePacket.SequenceFlags
_PROCESSES = 1 << 32  # the first number of a process's track


class Packets:
    """Writes packets one after the other; a track is described when it is first used."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._tracks: dict[Place, int] = {}
        self._begun = False  # whether the clock of all times has been declared

    def flush(self) -> None:
        self._out.flush()

    def count(self, place: Place, at: int, value: int, unit: str = "") -> None:
        """A counter's value from that time on. unit: a view's or a column's."""
        track = self._track(place, at, Message().whole(3, _UNITS.get(unit, _COUNT)))
        self._write(at, Message().message(11, Message().whole(9, _COUNTER).whole(11, track).whole(30, value)))

    def instant(self, place: Place, at: int, name: str, values: Iterable[tuple[str, Any]] = ()) -> None:
        self._event(place, at, _INSTANT, name, values)

    def slice(self, place: Place, begin: int, end: int, name: str, values: Iterable[tuple[str, Any]] = ()) -> None:
        """Write a slice. Slices of one track must not overlap."""
        self._event(place, begin, _BEGIN, name, values)
        self._event(place, end, _END)

    def samples(self, samples: Samples) -> None:
        """Write samples with their call stacks, and their processes."""
        named: set[int] = set()
        for time, cpu, pid, name, stack in samples.each():
            if not named:
                self._intern(time, samples.stacks, samples.functions)
            if pid not in named:
                named.add(pid)
                process = Message().whole(1, pid).text(6, inert(name))
                self._write(time, Message().message(60, Message().whole(1, _PROCESSES + pid).message(3, process)))
            sample = Message().whole(1, cpu).whole(2, pid).whole(3, pid).whole(4, stack + 1)
            self._write(time, Message().message(66, sample).whole(13, _NEEDS))

    def _intern(self, at: int, stacks: Sequence[Array], functions: Sequence[Function]) -> None:
        """Write the call stacks, numbered from 1 on in their order. Outermost frames come first."""
        interned = Message()
        names: dict[str, int] = {}
        modules: dict[str, int] = {}
        frames: dict[StackFrame, int] = {}
        for stack in stacks:
            for place in stack.tolist():
                frame = StackFrame.of(functions[place])
                if frame in frames:
                    continue
                name, module = inert(frame.label), inert(frame.origin)
                if name not in names:
                    names[name] = len(names) + 1
                    interned.message(5, Message().whole(1, names[name]).text(2, name))
                if module not in modules:
                    number = modules[module] = len(modules) + 1
                    interned.message(17, Message().whole(1, number).text(2, module))
                    interned.message(19, Message().whole(1, number).whole(7, number))
                frames[frame] = len(frames) + 1
                interned.message(6, Message().whole(1, frames[frame]).whole(2, names[name]).whole(3, modules[module]))
        for number, stack in enumerate(stacks, 1):
            callstack = Message().whole(1, number)
            for place in stack.tolist():
                callstack.whole(2, frames[StackFrame.of(functions[place])])
            interned.message(7, callstack)
        self._write(at, Message().message(12, interned).whole(13, _CLEARED))

    def _event(self, place: Place, at: int, kind: int, name: str = "", values: Iterable[tuple[str, Any]] = ()) -> None:
        event = Message().whole(9, kind).whole(11, self._track(place, at))
        if name:
            event.text(23, name)
        for key, value in values:
            told = Message().text(10, key)
            match value:
                case None | "":
                    continue
                case bool() | int():
                    told.whole(4, int(value))
                case float():
                    told.real(5, value)
                case _:
                    told.text(6, inert(str(value)))
            event.message(4, told)
        self._write(at, Message().message(11, event))

    def _track(self, place: Place, at: int, counter: Message | None = None) -> int:
        """The number of a track; enclosing tracks are described first."""
        number = self._tracks.get(place)
        if number is None:
            described = Message().text(2, place[-1])
            if len(place) > 1:
                described.whole(5, self._track(place[:-1], at))
            if counter is not None:
                described.message(8, counter)
            number = len(self._tracks) + 1
            self._write(at, Message().message(60, described.whole(1, number)))
            self._tracks[place] = number
        return number

    def _write(self, at: int, packet: Message) -> None:
        if not self._begun:
            self._begun = True
            clock = Message().whole(1, _REALTIME).whole(2, at)
            self._write(at, Message().message(6, Message().message(1, clock).whole(2, _REALTIME)).whole(13, _CLEARED))
        packet.whole(8, at).whole(58, _REALTIME).whole(10, _SEQUENCE)
        self._out.write(bytes(Message().message(1, packet)))
