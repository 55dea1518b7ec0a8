"""`ebpftop threads`: shows where every thread of the machine is, and what it waits for."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from ebpftop.base.errors import Cannot, UserError
from ebpftop.base.inert import inert
from ebpftop.base.look import BOLD, DIM, RED, YELLOW, Look, look_of, record
from ebpftop.frames.messages import Threads
from ebpftop.loader import threads as reader
from ebpftop.model.places import IDLE, STOPPED, STUCK, TRACED, Place, Places, Seen, written
from ebpftop.stats import formatting
from ebpftop.supervisor import elevate

_TITLES = ("threads", "state", "call", "for at least", "waits for")
_GAP = 2
_FRAMES = 6  # innermost frames of a stack, on a terminal


def threads(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Read all threads twice, to find those that have not run in between, and print their places."""
    if os.geteuid() != 0 and not arguments.no_sudo:
        elevate.through_sudo(argv)
    places, read = _looked(arguments.pid, arguments.interval)
    for line in read.unread:
        print(f"ebpftop: not read: {inert(line)}", file=sys.stderr)
    if os.geteuid() != 0:
        print("ebpftop: stacks, and what other users' threads wait for, can't be read without root", file=sys.stderr)
    if arguments.json:
        print(json.dumps([_facts(each) for each in places], indent=2))
    else:
        print("\n".join(lines(places, read, look_of(sys.stdout))))
    return 0


def _looked(pid: int | None, seconds: float) -> tuple[list[Place], Threads]:
    if not os.path.exists("/proc/self"):
        raise Cannot("threads can't be listed: /proc is not mounted")
    places = Places()
    try:
        places.take(reader.reading(pid))
        time.sleep(seconds)
        read = reader.reading(pid)
    except (ProcessLookupError, FileNotFoundError):
        raise UserError(f"there is no process {pid}") from None
    except OSError as error:
        raise Cannot(f"threads can't be listed: {error.strerror}") from None
    return places.take(read), read


def lines(places: Sequence[Place], read: Threads, look: Look) -> Iterator[str]:
    """On a terminal a table with the stacks of threads that may be stuck, and totals at the end; in a pipe a record per
    place.

    Its fields: threads, state, system call, what it waits for, the kernel's function, minimum ns for which it has not
    run, owner.
    """
    if look.terminal:
        yield from _table(places, read, look)
        return
    for each in places:
        age = "" if each.age_ns is None else str(each.age_ns)
        yield record([str(len(each.seen)), each.state, each.call, each.target, each.waits, age, each.whose])


def _table(places: Sequence[Place], read: Threads, look: Look) -> Iterator[str]:
    rows = [_cells(each) for each in places]
    widths = [max(map(len, column)) for column in list(zip(_TITLES, *rows, strict=True))[:-1]]
    head = sum(widths) + _GAP * len(widths)
    yield look.styled(_line(_TITLES, widths) + _TITLES[-1], BOLD)
    for each, cells in zip(places, rows, strict=True):
        style = {STUCK: RED, STOPPED: YELLOW, TRACED: YELLOW, IDLE: DIM}.get(each.state, "")
        yield look.beside(look.styled(_line(cells, widths), style), head, cells[-1], style)
        if each.state == STUCK and each.stacks:
            yield look.beside(" " * head, head, " ← ".join(map(inert, each.stacks[0][0][:_FRAMES])), DIM)
    yield f"\n{formatting.plural(read.count, 'thread')} in {formatting.plural(len(places), 'place')}"


def _cells(each: Place) -> list[str]:
    target = f"{each.target}: " if each.target else ""
    return [
        formatting.count(len(each.seen)),
        each.state,
        inert(each.call) or "–",
        formatting.duration(each.age_ns) if each.age_ns is not None else "–",
        inert(f"{target}{each.whose}"),
    ]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if at in (0, 3) else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(cells[:-1], widths, strict=True))
    ]
    return (" " * _GAP).join(padded) + " " * _GAP


def _facts(place: Place) -> dict[str, Any]:
    return {
        "count": len(place.seen),
        "state": place.state,
        "call": place.call or None,
        "target": place.target or None,
        "waits": place.waits or None,
        "age_ns": place.age_ns,
        "stacks": [{"count": count, "functions": list(functions)} for functions, count in place.stacks],
        "threads": [_thread(each) for each in place.seen],
    }


def _thread(each: Seen) -> dict[str, Any]:
    thread = each.thread
    return {
        "tid": thread.tid,
        "pid": thread.tgid,
        "comm": thread.comm,
        "process": thread.process,
        "call": written(thread) or None,
        "age_ns": each.age_ns,
    }
