"""Speedscope's file format (https://www.speedscope.app/file-format-schema.json): a sampled profile a stacks view."""

from __future__ import annotations

import json
from typing import Any, TextIO

from ebpftop import __version__
from ebpftop.base.inert import inert
from ebpftop.export.report import Report, stacks_of
from ebpftop.export.stack_report import StacksPart
from ebpftop.model.failure import Failure
from ebpftop.model.stacks import Symbol

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_UNITS = {"ns": "nanoseconds", "bytes": "bytes"}  # of a view; everything else is plain numbers there


class Speedscope:
    """Writes one file with the sum of the whole run at its end; nothing of a probe that was rejected."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err

    def report(self, report: Report) -> None:
        """Nothing: an interval is part of the sum."""

    def failed(self, failure: Failure) -> None:
        print(f"ebpftop: {inert(failure.headline)}", file=self._err)

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        self._out.write(json.dumps(as_file(report), ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n")
        self._out.flush()


def as_file(report: Report) -> dict[str, Any]:
    """The file's one object. Each path begins with whose stack it is; a frame's `file` is its module."""
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
