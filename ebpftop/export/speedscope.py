"""Speedscope's file format (https://www.speedscope.app/file-format-schema.json): a sampled profile per stacks view."""

from __future__ import annotations

import json
from typing import Any, TextIO

from ebpftop import __version__
from ebpftop.base.inert import inert
from ebpftop.export.report import Report, stacks_of
from ebpftop.export.stack_report import StacksPart
from ebpftop.frames.messages import Rejected
from ebpftop.model.stacks import Symbol
from ebpftop.model.verdict import headline

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_UNITS = {"ns": "nanoseconds", "bytes": "bytes"}  # of a view; speedscope shows any other unit as plain numbers


class Speedscope:
    """Writes one file with the sum of the whole run at its end; nothing for a rejected probe."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err

    def report(self, report: Report) -> None:
        """Writes nothing: the sum includes every interval."""

    def rejected(self, frame: Rejected) -> None:
        print(headline(frame), file=self._err)

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        self._out.write(json.dumps(as_file(report), ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n")
        self._out.flush()


def as_file(report: Report) -> dict[str, Any]:
    """The file's top-level object. Each stack begins with its owner; a frame's `file` is its module."""
    frames: dict[Symbol, int] = {}
    profiles = [_profile(part, frames) for part in stacks_of(report)]
    return {
        "$schema": SCHEMA,
        "exporter": f"ebpftop@{__version__}",
        "name": inert(report.probe),
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(symbol) for symbol in frames]},
        "profiles": profiles,
    }


def _profile(part: StacksPart, frames: dict[Symbol, int]) -> dict[str, Any]:
    merged = part.merged(part.heads())
    paths = [[Symbol(head, "", "head"), *symbols] if head else symbols for head, symbols, _ in merged]
    return {
        "type": "sampled",
        "name": inert(part.view.title),
        "unit": _UNITS.get(part.view.unit, "none"),
        "startValue": 0,
        "endValue": part.count,
        "samples": [[frames.setdefault(symbol, len(frames)) for symbol in path] for path in paths],
        "weights": [count for *_, count in merged],
    }


def _frame(symbol: Symbol) -> dict[str, Any]:
    module = symbol.module or ("[kernel]" if symbol.side == "kernel" else "")
    return {"name": inert(symbol.label), **({"file": inert(module)} if module else {})}
