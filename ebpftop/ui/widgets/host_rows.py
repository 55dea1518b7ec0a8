"""The rows of the table of hosts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ebpftop.frames.columns import Labels
from ebpftop.model.machines import Machines, clock, own_percent, state
from ebpftop.model.pressure import SHORT, lately
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.widgets.plain_columns import number, text
from ebpftop.ui.widgets.rows import Rows

NAME, STATE = "name", "state"  # the second orders them at first: who is missing is on top
SECONDS = 10  # over which pressure and our own cost are taken
_RANKS = {"lost": 3, "late": 2, "connecting": 1, "live": 0}


def host_rows(machines: Machines, now: int, sides: dict[str, str]) -> Rows:
    """The state of each host, and its last report. now: realtime ns. sides: A and B, by host."""
    hosts = machines.states
    loads = [each.load for each in hosts]
    recent = [[*machines.loads[each.name]][-SECONDS - 1 :] for each in hosts]
    return Rows(
        count=len(hosts),
        keys={NAME: Labels(np.arange(len(hosts)), [each.name for each in hosts])},
        columns=[
            text(NAME, "host", 12, [cell(each.name) for each in hosts], most=40, priority=9),
            text("side", "", 2, [sides.get(each.name, "") for each in hosts], priority=8),
            replace(
                text(STATE, "state", 16, [cell(state(each, now)) for each in hosts], most=24, priority=8),
                order=lambda: np.array([_RANKS[each.state] for each in hosts], np.int64),
            ),
            text("problem", "why", 12, [cell(each.problem) for each in hosts], most=300, stretch=True, priority=7),
            number("cpu", "CPU", formatting.percent, [each.cpu_percent if each else None for each in loads], 6, 7),
            number(
                "memory", "memory", formatting.percent, [each.memory_percent if each else None for each in loads], 7, 6
            ),
            number("load", "load", _load, [each.load if each else None for each in loads], 6, 5),
            text("psi", "pressure", 9, [_pressure(lately(each)) for each in recent], most=24, priority=5),
            number("own", "ebpftop", formatting.percent, [own_percent(each) for each in recent], 7, 4),
            number("cpus", "cpus", _load, [float(each.cpus) or None for each in hosts], 5, 2),
            text("clock", "clock", 9, [clock(each) for each in hosts], most=20, priority=4),
            number("way", "round trip", formatting.duration, [float(each.way_ns) or None for each in hosts], 10, 3),
            text("kernel", "kernel", 8, [cell(each.kernel) for each in hosts], most=30, priority=1),
        ],
        gone=lambda row: hosts[row].state != "live",
        about=lambda row: cell(hosts[row].problem),
    )


def _pressure(shares: dict[str, float]) -> str:
    """The share of the last seconds in which some tasks waited for a resource: `io 40%`."""
    found = [f"{SHORT.get(name, name)} {share:.0f}%" for name, share in shares.items() if round(share)]
    return " ".join(found) or ("0" if shares else "")


def _load(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
