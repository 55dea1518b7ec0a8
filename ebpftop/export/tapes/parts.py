"""Cuts a part of a tape into a new tape."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import structs

from ebpftop.base.errors import UsageError, UserError
from ebpftop.base.inert import quoted
from ebpftop.base.nearest import nearest
from ebpftop.export.tapes.output import Output
from ebpftop.frames.messages import FIRST, GREATEST, AnyFrame, Events, Hello, Host, Mark, Snapshot
from ebpftop.frames.recall import Recall
from ebpftop.frames.tape import TapeReader
from ebpftop.frames.tape_format import BadTape

_TIME = re.compile(r"(?:(?:(\d{1,5}):)?(\d{1,5}):)?(\d{1,9}(?:\.\d{1,9})?)s?")


def readable(frames: Iterator[tuple[int, AnyFrame]], problems: list[str]) -> Iterator[tuple[int, AnyFrame]]:
    """The readable frames; reasons why some are missing are added to `problems`."""
    try:
        yield from frames
    except BadTape as error:
        problems.append(str(error))


def moment(reader: TapeReader, text: str) -> int:
    """A time on the tape (ns): seconds, M:SS or H:MM:SS since its start, or the text of a mark. Raises `UsageError`."""
    if found := _TIME.fullmatch(text):
        hours, minutes, seconds = found.groups()
        return round((int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)) * 1e9)
    marks = [(at, frame.text) for at, frame in readable(iter(reader), []) if isinstance(frame, Mark)]
    named = [at for at, name in marks if name == text] or [at for at, name in marks if name.startswith(text)]
    if named:
        return named[0]
    if not marks:
        raise UsageError(f"{quoted(text)} is not a time (90, 1:30 or 0:01:30), and the tape has no marks")
    known = nearest(text, [name for _, name in marks]) or "; 'ebpftop tape info' lists the marks"
    raise UsageError(f"{quoted(text)} is neither a time nor a mark{known}")


def cut(reader: TapeReader, output: Output, start: int, end: int | None) -> list[str]:
    """Write the frames after one time (ns) until another, preceded by the state at the first one: the last snapshot of
    each run until then, which is a base. So adjacent parts share nothing but a mark. A start of 0 includes everything.
    Returns why frames are missing.

    Raises `UserError` if there are no frames.
    """
    if end is not None and end <= start:
        raise UsageError("the part ends before it starts")
    if start / 1e9 > reader.duration:
        raise UserError(f"{reader.name} ends after {reader.duration:.1f} s")
    problems: list[str] = []
    recall, marks, begun = Recall(history=1), list[Mark](), False
    shifts: dict[int, int] = {}
    for at, frame in readable(reader.since(start), problems):
        if end is not None and at > end:
            break
        if start and at <= start:
            recall.add(frame)
            marks += [frame] if isinstance(frame, Mark) and at == start else []
            continue
        if not begun:
            shifts = _begin(recall, marks, output)
            begun = True
        if isinstance(frame, Hello):
            shifts = {}
        output.write(at - start, _shifted(frame, shifts))
    if not begun:
        _begin(recall, marks, output)
    return problems


def _begin(recall: Recall, marks: list[Mark], output: Output) -> dict[int, int]:
    """Write the state so far; past events are left out. Returns by how much the numbers of a run's snapshots must grow,
    because its first one is a base now.
    """
    state = recall.frames()
    bases = {frame.run: FIRST + 1 - frame.seq for frame in state if isinstance(frame, Snapshot) and frame.seq <= FIRST}
    for frame in state:
        if not isinstance(frame, Events | Host | Mark):
            output.write(0, _shifted(frame, bases))
    for mark in marks:
        if mark.monotonic_ns == marks[-1].monotonic_ns:  # a key contains earlier ones, too
            output.write(0, mark)
    return bases


def _shifted(frame: AnyFrame, shifts: dict[int, int]) -> AnyFrame:
    if isinstance(frame, Snapshot) and frame.run in shifts:
        return structs.replace(frame, seq=min(frame.seq + shifts[frame.run], GREATEST))
    return frame
