"""Speedscope's file format (https://www.speedscope.app/file-format-schema.json): a sampled profile per stacks view."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TextIO

from ebpftop import __version__
from ebpftop.base.inert import inert
from ebpftop.export.report import Report, stacks_of
from ebpftop.export.stack_report import StacksPart
from ebpftop.export.telling import AtEnd
from ebpftop.model.stacks import StackFrame

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_UNITS = {"ns": "nanoseconds", "bytes": "bytes"}  # of a view; speedscope shows any other unit as plain numbers


class Speedscope(AtEnd):
    """Writes one file with the sum of the whole run at its end; nothing for a rejected probe."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        super().__init__(err)
        self._out = out

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        write_file(self._out, [report])
        self._out.flush()


def write_file(out: TextIO, reports: Sequence[Report]) -> None:
    """Write one file with the stacks of all reports."""
    out.write(json.dumps(as_file(reports), ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n")


def as_file(reports: Sequence[Report]) -> dict[str, Any]:
    """The file's one object. Each path begins with the owner of the stack; a frame's `file` is its module."""
    numbers: dict[StackFrame, int] = {}
    profiles = [_profile(part, numbers) for report in reports for part in stacks_of(report)]
    return {
        "$schema": SCHEMA,
        "exporter": f"ebpftop@{__version__}",
        "name": inert(", ".join(report.probe for report in reports)),
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(frame) for frame in numbers]},
        "profiles": profiles,
    }


def _profile(part: StacksPart, numbers: dict[StackFrame, int]) -> dict[str, Any]:
    merged = part.merged(part.heads())
    paths = [[StackFrame(head, "", "head"), *frames] if head else frames for head, frames, _ in merged]
    return {
        "type": "sampled",
        "name": inert(part.view.title) + (f" · {part.shown.line}" if part.shown else ""),
        "unit": _UNITS.get(part.view.unit, "none"),
        "startValue": 0,
        "endValue": part.count,
        "samples": [[numbers.setdefault(frame, len(numbers)) for frame in path] for path in paths],
        "weights": [count for *_, count in merged],
    }


def _frame(frame: StackFrame) -> dict[str, Any]:
    module = frame.module or ("[kernel]" if frame.side == "kernel" else "")
    return {"name": inert(frame.label), **({"file": inert(module)} if module else {})}
