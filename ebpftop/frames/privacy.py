"""Removes what a tape doesn't keep: file paths and, unless requested, command lines, which often contain secrets."""

from __future__ import annotations

import msgspec

from ebpftop.frames.messages import AnyFrame, Catalog, Column, Columns, Events, Processes, Snapshot

ARGUMENTS = frozenset({"args", "argv", "command"})  # fields of maps and events that hold arguments of programs


def without_arguments(frame: AnyFrame) -> AnyFrame:
    """The frame without command lines of processes, and with blank columns of arguments."""
    match frame:
        case Processes():
            return Processes(processes=[msgspec.structs.replace(each, command="") for each in frame.processes])
        case Events():
            return msgspec.structs.replace(frame, columns=_blank(frame.columns))
        case Snapshot():
            maps = {name: _blank(columns) for name, columns in frame.maps.items()}
            return msgspec.structs.replace(frame, maps=maps)
    return frame


def without_paths(frame: AnyFrame) -> AnyFrame:
    """The frame without the catalog's paths, which are useful only on their own machine."""
    if not isinstance(frame, Catalog):
        return frame
    return msgspec.structs.replace(
        frame, probes=[msgspec.structs.replace(probe, file="") for probe in frame.probes], problems=[]
    )


def _blank(columns: Columns) -> Columns:
    return {
        name: Column(dtype=column.dtype, data=bytes(len(column.data)), labels=None if column.labels is None else [""])
        if name in ARGUMENTS
        else column
        for name, column in columns.items()
    }
