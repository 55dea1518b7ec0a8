"""Frames without command lines, which often hold secrets: what a tape keeps unless more is asked for."""

from __future__ import annotations

import msgspec

from ebpftop.frames.messages import AnyFrame, Column, Columns, Events, Processes, Snapshot

ARGUMENTS = frozenset({"args", "argv", "command"})  # fields of maps and events that hold arguments of programs


def without_arguments(frame: AnyFrame) -> AnyFrame:
    """The frame with processes known only by comm, and every column of arguments blank."""
    match frame:
        case Processes():
            return Processes(processes=[msgspec.structs.replace(each, command="") for each in frame.processes])
        case Events():
            return msgspec.structs.replace(frame, columns=_blank(frame.columns))
        case Snapshot():
            maps = {name: _blank(columns) for name, columns in frame.maps.items()}
            return msgspec.structs.replace(frame, maps=maps)
    return frame


def _blank(columns: Columns) -> Columns:
    return {
        name: Column(dtype=column.dtype, data=bytes(len(column.data)), labels=None if column.labels is None else [""])
        if name in ARGUMENTS
        else column
        for name, column in columns.items()
    }
