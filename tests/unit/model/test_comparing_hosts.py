"""Two hosts beside each other: a span of one run, and of its rows those of A and those of B."""

from __future__ import annotations

import numpy as np
import pytest

from ebpftop.frames.messages import Process, Processes, ViewInfo
from ebpftop.hosts.joining import with_host
from ebpftop.model.comparing.half import Half
from ebpftop.model.comparing.view import ViewComparison, ask
from ebpftop.model.past.span import ALL
from ebpftop.model.run import Run
from ebpftop.model.selection import EVERYTHING, Choice, Selection
from ebpftop.model.session import Session
from ebpftop.stats.slots import slot_of
from tests.support.frames import CALLS, LATENCY, columns, hello, loaded, snapshot

STEPS = 40
SHARES = {1: ("web-1", "sshd", 5), 2: ("web-2", "sshd", 5), 3: ("web-2", "yes", 400)}


def session(view: ViewInfo) -> tuple[Session, Run]:
    """`sshd` does the same on both hosts, and `yes` is busy on web-2 alone."""
    found = Session()
    found.feed(hello(host="web-1, web-2"))
    people = [Process(id=number, tgid=number, start_ns=1, comm=name) for number, (_, name, _) in SHARES.items()]
    found.feed(Processes(processes=people))
    run = found.feed(loaded(1, "cpu/syscount", with_host(view, "host")))
    assert run is not None
    random = np.random.default_rng(7)
    counts = np.zeros(len(SHARES), np.int64)
    for step in range(1, STEPS + 1):
        counts = counts + random.poisson([share for _, _, share in SHARES.values()])
        rows = {"tgid": np.array([*SHARES], "<u4"), "host": [host for host, _, _ in SHARES.values()]}
        if view.show == "histogram":
            slots = np.array([slot_of(1000), slot_of(1000), slot_of(1_000_000)], "<u4")
            found.feed(snapshot(1, step, {view.map: columns(**rows, slot=slots, count=counts.astype("<u8"))}))
        else:
            more = {"nr": ["read"] * 3, "count": counts.astype("<u8"), "last_ns": [1] * 3}
            found.feed(snapshot(1, step, {view.map: columns(**rows, **more)}))
    return found, run


def compared(view: ViewInfo, a: str, b: str, selection: Selection = EVERYTHING) -> ViewComparison:
    known, run = session(view)
    one, other = (Half(run, ALL, known.processes, known.hello, host) for host in (a, b))
    question = ask(one, other, run.views[0], Selection(selection.choices, known.processes))
    assert question is not None
    return question.answer()


def test_what_is_busy_on_one_host_is_found() -> None:
    found = compared(CALLS, "web-1", "web-2")
    assert [column.field for column in found.columns] == ["tgid", "nr"]
    names = found.keys["tgid"].texts()
    rows = found.order().tolist()
    assert [names[row] for row in rows] == ["yes", "sshd"]
    assert found.first.changed[rows].tolist() == [True, False]
    assert np.isnan(found.first.before[0][rows[0]])
    assert found.first.after[0][rows[0]] == pytest.approx(400, rel=0.1)


def test_histograms_of_two_hosts_are_compared() -> None:
    found = compared(LATENCY, "web-1", "web-2")
    p99 = next(number for number in found.whole if number.name == "p99")
    assert p99.before[1][0] < 1_200 < 900_000 < p99.after[0][0]
    assert p99.changed.tolist() == [True]


def test_what_is_selected_is_compared() -> None:
    chosen = Selection((Choice("name", "sshd", "name", "sshd"),))
    found = compared(CALLS, "web-1", "web-2", chosen)
    names = found.keys["tgid"].texts()
    assert [names[row] for row in found.order().tolist()] == ["sshd"]
