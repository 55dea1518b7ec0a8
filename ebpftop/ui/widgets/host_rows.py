"""The rows of the table of hosts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ebpftop.frames.columns import Labels
from ebpftop.frames.messages import HostState
from ebpftop.model.machines import clock, state
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.widgets.plain_columns import number, text
from ebpftop.ui.widgets.rows import Rows

NAME, STATE = "name", "state"  # the second orders them at first: who is missing is on top
_RANKS = {"lost": 3, "late": 2, "connecting": 1, "live": 0}


def host_rows(hosts: Sequence[HostState], now: int, sides: dict[str, str]) -> Rows:
    """How each is, and what it said of itself last. now: realtime ns. sides: A and B, by host."""
    loads = [each.load for each in hosts]
    return Rows(
        count=len(hosts),
        keys={NAME: Labels(np.arange(len(hosts)), [each.name for each in hosts])},
        columns=[
            text(NAME, "host", 12, [cell(each.name) for each in hosts], most=40, priority=9),
            text("side", "", 2, [sides.get(each.name, "") for each in hosts], priority=8),
            replace(
                text(STATE, "state", 12, [cell(state(each, now)) for each in hosts], most=24, priority=8),
                order=lambda: np.array([_RANKS[each.state] for each in hosts], np.int64),
            ),
            text("problem", "why", 16, [cell(each.problem) for each in hosts], most=300, stretch=True, priority=7),
            number("cpu", "CPU", formatting.percent, [each.cpu_percent if each else None for each in loads], 6, 7),
            number(
                "memory", "memory", formatting.percent, [each.memory_percent if each else None for each in loads], 7, 6
            ),
            number("load", "load", _load, [each.load if each else None for each in loads], 6, 5),
            number("cpus", "cpus", _load, [float(each.cpus) or None for each in hosts], 5, 2),
            text("clock", "clock", 9, [clock(each) for each in hosts], most=20, priority=4),
            number("way", "answers in", formatting.duration, [float(each.way_ns) or None for each in hosts], 10, 3),
            text("kernel", "kernel", 8, [cell(each.kernel) for each in hosts], most=30, priority=1),
        ],
        gone=lambda row: hosts[row].state != "live",
        about=lambda row: cell(hosts[row].problem),
    )


def _load(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
