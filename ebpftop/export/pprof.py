"""pprof's file format (https://github.com/google/pprof/blob/main/proto/profile.proto), for `go tool pprof` and viewers.

One file holds one type of value for each stacks view. A sample has the value of its own view, and 0 for the others.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import BinaryIO, TextIO

from ebpftop import __version__
from ebpftop.base.inert import inert
from ebpftop.base.protobuf import Message
from ebpftop.export.report import Report, stacks_of
from ebpftop.export.stack_report import StacksPart
from ebpftop.export.telling import AtEnd
from ebpftop.model.stacks import StackFrame

_UNITS = {"ns": "nanoseconds", "bytes": "bytes"}  # of a view; other counts have the unit of the sampled event


class Pprof(AtEnd):
    """Writes one compressed file with the sum of the whole run at its end."""

    def __init__(self, out: BinaryIO, err: TextIO) -> None:
        super().__init__(err)
        self._out = out

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        self._out.write(as_file([report]))
        self._out.flush()


def as_file(reports: Sequence[Report]) -> bytes:
    """One file with the stacks of all reports. Its compressed head has no time, so that equal input gives equal
    output.
    """
    return gzip.compress(bytes(_Profile(reports).message), mtime=0)


class _Profile:
    def __init__(self, reports: Sequence[Report]) -> None:
        self._texts: dict[str, int] = {"": 0}
        self._frames: dict[StackFrame, int] = {}
        self._modules: dict[str, int] = {}
        parts = [part for report in reports for part in stacks_of(report)]
        samples = [self._sample(part, at, len(parts)) for at, part in enumerate(parts)]
        self.message = Message()
        for part in parts:
            self.message.message(1, self._value_type(inert(part.view.title), _UNITS.get(part.view.unit, "count")))
        for each in samples:
            for sample in each:
                self.message.message(2, sample)
        locations = [self._location(frame, number) for frame, number in self._frames.items()]
        functions = [self._function(frame, number) for frame, number in self._frames.items()]
        for module, number in self._modules.items():
            mapping = Message().whole(1, number).whole(5, self._text(module)).whole(7, 1)
            self.message.message(3, mapping)
        for location in locations:
            self.message.message(4, location)
        for function in functions:
            self.message.message(5, function)
        notes = [self._text(note) for report in reports for note in _notes(report)]
        for text in self._texts:
            self.message.text(6, text)
        if reports:
            seconds = max(report.seconds for report in reports)
            end = max(report.time_ns for report in reports)
            self.message.whole(9, end - round(seconds * 1e9)).whole(10, round(seconds * 1e9))
        self.message.packed(13, notes)

    def _sample(self, part: StacksPart, at: int, types: int) -> list[Message]:
        found = []
        for head, frames, count in part.merged(part.heads()):
            numbers = [self._frames.setdefault(frame, len(self._frames) + 1) for frame in reversed(frames)]
            values = [count if each == at else 0 for each in range(types)]
            sample = Message().packed(1, numbers).packed(2, values)
            if head:
                label = Message().whole(1, self._text("process")).whole(2, self._text(inert(head)))
                sample.message(3, label)
            found.append(sample)
        return found

    def _value_type(self, name: str, unit: str) -> Message:
        return Message().whole(1, self._text(name)).whole(2, self._text(unit))

    def _location(self, frame: StackFrame, number: int) -> Message:
        module = inert(frame.origin) if frame.side != "python" else ""  # for Python, the origin is the source file
        mapping = self._modules.setdefault(module, len(self._modules) + 1) if module else 0
        return Message().whole(1, number).whole(2, mapping).message(4, Message().whole(1, number))

    def _function(self, frame: StackFrame, number: int) -> Message:
        name = self._text(inert(frame.label))
        return Message().whole(1, number).whole(2, name).whole(3, name).whole(4, self._text(inert(frame.origin)))

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))


def _notes(report: Report) -> list[str]:
    """Facts that must not get lost: who measured, with which variant, and what is missing."""
    losses = report.losses
    lost = {"lost": losses.lost, "map_full": losses.map_full, "evicted": losses.evicted}
    missing = ", ".join(f"{name} {count}" for name, count in lost.items() if count) or "none"
    about = [f"{part.view.title}: {part.shown.line}" for part in stacks_of(report) if part.shown]
    return [inert(f"{report.probe} ({report.variant}), ebpftop {__version__}; losses: {missing}"), *map(inert, about)]
