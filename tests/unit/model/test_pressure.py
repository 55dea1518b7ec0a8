"""How long tasks waited, as a share of a span; and whose it is."""

from __future__ import annotations

from ebpftop.frames.messages import Pressure
from ebpftop.model.pressure import stalled
from ebpftop.model.selection import Choice, Selection, chosen_cgroup
from tests.support.frames import process


def pressure(**some: int) -> dict[str, Pressure]:
    return {name: Pressure(some_ns=ns, full_ns=0) for name, ns in some.items()}


def test_shares_are_of_the_time_that_passed() -> None:
    assert stalled(pressure(cpu=5, io=100), pressure(cpu=30, io=100, memory=7), 100) == {"cpu": 25.0, "io": 0.0}
    assert stalled(pressure(cpu=5), pressure(cpu=305), 100) == {"cpu": 100.0}
    assert stalled(pressure(cpu=50), pressure(cpu=5), 100) == {"cpu": 0.0}
    assert stalled(pressure(cpu=5), pressure(cpu=30), 0) == {}


def test_the_cgroup_is_that_of_the_last_choice_which_has_one() -> None:
    of_cgroup, of_process = Choice("cgroup", "/a.slice/", "", ""), Choice("process", 3, "", "")
    other, without = Choice("name", "x", "", ""), Choice("cgroup", "/b", "", "", excluded=True)
    people = {3: process(3, "api", cgroup="/a.slice/api.service")}
    assert chosen_cgroup(Selection((of_process, of_cgroup, other, without), people)) == "/a.slice"
    assert chosen_cgroup(Selection((of_cgroup, of_process), people)) == "/a.slice/api.service"
    assert chosen_cgroup(Selection((of_process,))) == chosen_cgroup(Selection((other, without), people)) == ""
