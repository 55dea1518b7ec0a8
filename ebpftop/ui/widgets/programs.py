"""The rows of the table of all BPF programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ebpftop.frames.messages import Programs
from ebpftop.model.programs import Rated, owner
from ebpftop.stats import formatting
from ebpftop.ui.widgets.plain_columns import number, text
from ebpftop.ui.widgets.rows import Rows

COST = "percent"  # the column that orders them at first
Number = Callable[[Rated], float | None]


def program_rows(found: Sequence[Rated], now: Programs) -> Rows:
    """Each program's name, cost, owner and further facts. Costs are unknown if they weren't counted."""

    def numbers(get: Number, counted: bool = True) -> list[float | None]:
        return [get(each) if counted else None for each in found]

    return Rows(
        count=len(found),
        keys={"id": np.array([each.program.id for each in found], np.int64)},
        columns=[
            text("name", "program", 15, [each.program.name or "–" for each in found], most=20, priority=4),
            number(COST, "CPU", formatting.percent, numbers(lambda each: each.percent), 8, 3),
            number("rate", "events/s", formatting.rate, numbers(lambda each: each.rate), 9, 2),
            number("average", "per event", formatting.duration, numbers(lambda each: each.average_ns), 9, 1),
            text("owner", "owner", 16, [_owner(each, now) for each in found], most=60, stretch=True, priority=3),
            number("id", "id", _plain, numbers(lambda each: each.program.id), 6, 1),
            text("type", "type", 10, [each.program.type for each in found], most=20),
            number(
                "age", "age", formatting.duration, numbers(lambda each: now.boottime_ns - each.program.loaded_ns), 7
            ),
            number("runs", "runs", formatting.count, numbers(lambda each: each.program.run_count, now.accounted), 8),
            number("code", "code", _bytes, numbers(lambda each: each.program.jited or each.program.translated), 8),
        ],
        gone=lambda row: not found[row].program.holders and now.whole,
        about=lambda row: _about(found[row]),
    )


def _owner(each: Rated, now: Programs) -> str:
    return ("ours: " if each.program.own else "") + owner(each.program, whole=now.whole)


def _about(each: Rated) -> str:
    held = ", ".join(f"{holder.comm} ({holder.pid})" for holder in each.program.holders)
    return f"tag {each.program.tag}" + (f", held by {held}" if held else "")


def _plain(number: float | None) -> str:
    return f"{number:.0f}" if number is not None else ""


def _bytes(number: float | None) -> str:
    return formatting.value(number, "bytes")
