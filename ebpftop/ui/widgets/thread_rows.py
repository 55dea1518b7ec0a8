"""The rows of the table of threads, and one whole row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from rich.cells import cell_len, set_cell_size

from ebpftop.frames.messages import ThreadPlace
from ebpftop.model.places import Place, Seen, age_of, written
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.widgets.plain_columns import number, text
from ebpftop.ui.widgets.rows import Rows

STATE = "state"  # the column that orders them at first: what may be stuck is on top
_MOST_STACKS, _MOST_THREADS, _MOST_WAKERS = 8, 200, 5  # in a place shown whole


def place_rows(places: Sequence[Place]) -> Rows:
    ranks = np.array([each.rank for each in places], np.int64)
    state = text(STATE, "state", 15, [each.state for each in places], priority=5)
    ages = np.array([-1 if each.age_ns is None else each.age_ns for each in places], np.int64)
    age = text("age", "for", 9, [each.since or "–" for each in places], most=12, priority=2)
    whose = text("whose", "whose", 14, [cell(each.whose) for each in places], most=44, stretch=True, priority=4)
    return Rows(
        count=len(places),
        keys={"number": np.array([each.number for each in places], np.int64)},
        columns=[
            number("threads", "threads", formatting.count, [len(each.seen) for each in places], 7, 6),
            replace(state, order=lambda: ranks),
            text("call", "call", 10, [cell(each.call) for each in places], most=18, priority=4),
            text(
                "target", "waits for", 16, [cell(target(each)) for each in places], most=200, stretch=True, priority=5
            ),
            text("waits", "in the kernel", 13, [cell(each.waits) for each in places], most=30, priority=1),
            replace(age, order=lambda: ages),
            replace(whose, look=replace(whose.look, shorten=shortened)),
        ],
    )


def shortened(whose: str, width: int) -> str:
    """A shortened name with its whole number, which distinguishes processes of one name: `qemu-… (9720)`."""
    name, bracket, number = whose.rpartition(" (")
    room = width - len(bracket) - len(number) - 1
    if cell_len(whose) <= width or not bracket or room < 1:
        return whose
    return f"{set_cell_size(name, room).rstrip()}…{bracket}{number}"


def target(place: Place) -> str:
    """What it waits for, and who holds that or, if known, who last woke most of them. Hostile."""
    if place.holder is not None:
        return f"held by {_named(place.holder)}: {place.target}"
    if place.wakers and 2 * place.wakers[0][1] > len(place.seen):
        woken = f"last woken by {_named(place.wakers[0][0])}"
        return f"{place.target}, {woken}" if place.target else woken
    return place.target


def _named(thread: ThreadPlace) -> str:
    return f"{thread.comm} {thread.tid}"


def whole(place: Place) -> list[tuple[str, str]]:
    """Everything known of a place: titles and texts, one line each. Hostile."""
    return list(_whole(place))


def _whole(place: Place) -> Iterator[tuple[str, str]]:
    first = place.seen[0].thread
    yield "threads", f"{len(place.seen)} of {place.whose}"
    yield "state", place.state
    if place.target:
        yield "waits for", place.target
    if place.holder is not None:
        yield "held by", f"{_named(place.holder)} (read from memory by a probe when the wait began)"
    for line, (waker, count) in enumerate(place.wakers[:_MOST_WAKERS]):
        of = f" of {waker.process} ({waker.tgid})"
        yield "" if line else "last woken by", f"{_named(waker)}{of}: {formatting.plural(count, 'thread')}"
    if call := written(first):
        yield "system call", call
    for at, (functions, count) in enumerate(place.stacks[:_MOST_STACKS]):
        title = "kernel stack" if len(place.stacks) == 1 else f"stack {at + 1}, {formatting.plural(count, 'thread')}"
        for line, function in enumerate(functions):
            yield "" if line else title, function
    if len(place.stacks) > _MOST_STACKS:
        yield "", f"and {len(place.stacks) - _MOST_STACKS} more stacks"
    for line, each in enumerate(place.seen[:_MOST_THREADS]):
        yield "" if line else "thread", _thread(each)
    if len(place.seen) > _MOST_THREADS:
        yield "", f"and {len(place.seen) - _MOST_THREADS} more"


def _thread(each: Seen) -> str:
    thread = each.thread
    age = f"  for {age_of(each)}" if each.age_ns is not None else ""
    waker = f"  last woken by {_named(each.waker)}" if each.waker is not None else ""
    return f"{thread.tid} {thread.comm}  of {thread.process} ({thread.tgid}){age}{waker}"
