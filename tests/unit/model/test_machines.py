"""The hosts of a stream: their loads, and when nothing came from one."""

from __future__ import annotations

from typing import Any

import pytest

from ebpftop.frames.messages import Host, Hosts, HostState
from ebpftop.model.machines import Machines, away, own_percent, within
from tests.support.frames import EPOCH, SECOND


def states(second: int, *hosts: HostState) -> Hosts:
    return Hosts(realtime_ns=EPOCH + second * SECOND, hosts=list(hosts))


def host(name: str, state: Any, heard: int, load: Host | None = None) -> HostState:
    return HostState(name=name, state=state, heard_ns=EPOCH + heard * SECOND, load=load)


def load(second: int, own: int | None = None) -> Host:
    return Host(
        realtime_ns=EPOCH + second * SECOND, cpu_percent=1.0, memory_percent=1.0, load=0.1, own_ns=own and own * SECOND
    )


def test_a_gap_lasts_from_the_last_frame_until_it_is_back() -> None:
    machines = Machines(10)
    machines.take(states(10, host("web-1", "live", 10), host("web-2", "live", 10)))
    assert not machines.gaps
    machines.take(states(14, host("web-1", "live", 14), host("web-2", "late", 10)))
    machines.take(states(22, host("web-1", "live", 22), host("web-2", "lost", 10)))
    assert away(machines.gaps) == {"web-2"}
    machines.take(states(30, host("web-1", "live", 30), host("web-2", "live", 30)))
    (gap,) = machines.gaps
    assert (gap.host, gap.since_ns, gap.until_ns) == ("web-2", EPOCH + 10 * SECOND, EPOCH + 30 * SECOND)
    assert not away(machines.gaps)


@pytest.mark.parametrize(
    ("start", "end", "said"), [(0, 10, False), (0, 11, True), (12, 13, True), (29, 60, True), (30, 60, False)]
)
def test_a_gap_concerns_the_spans_that_it_touches(start: int, end: int, said: bool) -> None:
    machines = Machines(10)
    machines.take(states(14, host("web-2", "late", 10)))
    machines.take(states(30, host("web-2", "live", 30)))
    assert bool(within(machines.gaps, EPOCH + start * SECOND, EPOCH + end * SECOND)) is said


def test_a_gap_in_words_is_inert() -> None:
    machines = Machines(10)
    machines.take(states(14, host("web\x1b[31m", "late", 10)))
    assert str(machines.gaps[0]).isprintable()
    assert "nothing from web" in str(machines.gaps[0])


def test_a_hostile_tape_has_as_many_hosts_as_its_last_frame() -> None:
    machines = Machines(10)
    for second in range(3000):
        machines.take(states(second, host(f"web-{second}", "late", second, load(second))))
    assert len(machines.loads) == 1
    assert len(machines.gaps) == 1000


def test_loads_are_those_of_each_host_once() -> None:
    machines = Machines(10)
    for second in (1, 1, 2, 3):
        machines.take(states(second, host("web-1", "live", second, load(second)), host("web-2", "live", 1, load(1))))
    assert {name: len(each) for name, each in machines.loads.items()} == {"web-1": 3, "web-2": 1}


def test_loads_of_a_host_whose_clock_was_set_back_begin_anew() -> None:
    machines = Machines(10)
    for second in (90, 91, 3):
        machines.take(states(second, host("web-1", "live", second, load(second))))
    assert [each.realtime_ns for each in machines.loads["web-1"]] == [EPOCH + 3 * SECOND]


def test_our_own_share_is_of_what_is_known() -> None:
    assert own_percent([load(0, 5), load(10, 6)]) == pytest.approx(10.0)
    assert own_percent([load(0, 5)]) is None
    assert own_percent([load(0), load(10)]) is None
    assert own_percent([load(0, 5), load(0, 6)]) is None
