"""`ebpftop others`: shows the cost of every BPF program on the machine, and its owner."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ebpftop.base.errors import Cannot
from ebpftop.base.inert import inert
from ebpftop.base.look import BOLD, DIM, GREEN, Look, look_of, record
from ebpftop.commands import root
from ebpftop.frames.messages import Programs
from ebpftop.kernel.libbpf import KernelLacks
from ebpftop.loader import programs, run_times
from ebpftop.model.programs import Rated, owner, rated
from ebpftop.stats import formatting

_TITLES = ("CPU", "events/s", "per event", "id", "type", "name", "age", "owner")
_NUMBERS = 4  # leading columns that are numbers
_GAP = 2


def others(arguments: argparse.Namespace, argv: list[str]) -> int:
    """List all BPF programs with their cost over an interval, the most expensive first."""
    root.become(arguments, argv)
    try:
        before, now = _readings(arguments.interval)
    except PermissionError:
        raise Cannot("listing BPF programs needs CAP_SYS_ADMIN: run it with sudo") from None
    except (OSError, KernelLacks) as error:
        raise Cannot(f"BPF programs can't be listed: {error}") from None
    found = rated(before, now)
    if arguments.json:
        print(json.dumps([_facts(each, now) for each in found], indent=2))
    else:
        print("\n".join(lines(found, now, look_of(sys.stdout))))
    return 0


def _readings(seconds: float) -> tuple[Programs, Programs]:
    """Two readings this many seconds apart, taken while run times are accounted, or without that if it isn't possible.
    Raises `OSError`.
    """
    accounting = -1
    try:
        accounting = run_times.accounting()
    except OSError as error:
        print(f"ebpftop: costs are unknown: the kernel can't account run times: {error.strerror}", file=sys.stderr)
    try:
        before = programs.reading()
        time.sleep(seconds)
        now = programs.reading()
    finally:
        if accounting >= 0:
            os.close(accounting)
    if not now.whole:
        why = f"more than {programs.MOST_DESCRIPTORS:,} files are open, or this is a nested pid namespace"
        if not os.path.exists("/proc/self"):
            why = "/proc is not mounted"
        print(f"ebpftop: some owners are missing: {why}", file=sys.stderr)
    return before, now if accounting < 0 else msgspec.structs.replace(now, accounted_since_ns=0)


def lines(found: Sequence[Rated], now: Programs, look: Look) -> Iterator[str]:
    """On a terminal a table with totals at the end; in a pipe a record per program.

    Its fields: id, name, type, tag, ours or foreign, owner, loaded at, runs and run time in ns since loading, percent
    of a CPU, events a second, ns an event, machine code and BPF in bytes.
    """
    if look.terminal:
        yield from _table(found, now, look)
        return
    for each in found:
        facts = _facts(each, now)
        fields = [facts[name] for name in _FIELDS]
        fields[4] = "ours" if each.program.own else "foreign"
        fields[5] = owner(each.program, whole=now.whole)
        yield record(["" if field is None else str(field) for field in fields])


_FIELDS = (
    *("id", "name", "type", "tag", "own", "holders", "loaded_at", "run_count", "run_time_ns"),
    *("cpu_percent", "events_per_second", "average_ns", "jited_bytes", "translated_bytes"),
)


def _facts(each: Rated, now: Programs) -> dict[str, Any]:
    program = each.program
    loaded = time.time() - (now.boottime_ns - program.loaded_ns) / 1e9
    counted = now.accounted
    return {
        "id": program.id,
        "name": program.name,
        "type": program.type,
        "tag": program.tag,
        "own": program.own,
        "holders": [msgspec.to_builtins(holder) for holder in program.holders],
        "loaded_at": datetime.fromtimestamp(round(loaded), UTC).isoformat(),
        "run_count": program.run_count if counted else None,
        "run_time_ns": program.run_time_ns if counted else None,
        "cpu_percent": _rounded(each.percent),
        "events_per_second": _rounded(each.rate),
        "average_ns": _rounded(each.average_ns),
        "jited_bytes": program.jited,
        "translated_bytes": program.translated,
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)


def _table(found: Sequence[Rated], now: Programs, look: Look) -> Iterator[str]:
    rows = [_cells(each, now) for each in found]
    widths = [max(map(len, column)) for column in zip(_TITLES, *rows, strict=True)]
    head = sum(widths[:-1]) + _GAP * (len(widths) - 1)
    yield look.styled(_line(_TITLES, widths), BOLD)
    for each, cells in zip(found, rows, strict=True):
        style = GREEN if each.program.own else "" if each.program.holders else DIM
        yield look.beside(_line([*cells[:-1], ""], widths), head, cells[-1], style)
    ours = [each for each in found if each.program.own]
    yield f"\n{formatting.plural(len(found), 'program')}{_spent(found)}; {len(ours)} of them ours{_spent(ours)}"


def _spent(found: Sequence[Rated]) -> str:
    known = [each.percent for each in found if each.percent is not None]
    return f", {formatting.percent(sum(known))} of a CPU" if known else ""


def _cells(each: Rated, now: Programs) -> list[str]:
    program = each.program
    return [
        formatting.percent(each.percent),
        formatting.rate(each.rate),
        formatting.duration(each.average_ns),
        str(program.id),
        inert(program.type),
        inert(program.name) or "–",
        formatting.duration(max(0, now.boottime_ns - program.loaded_ns)),
        inert(("ours: " if program.own else "") + owner(program, whole=now.whole)),
    ]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if at < _NUMBERS else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return (" " * _GAP).join(padded[:-1]) + " " * _GAP + cells[-1]
