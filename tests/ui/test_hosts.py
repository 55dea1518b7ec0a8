"""Several hosts on the screen: who is there, which one is selected, and two beside each other."""

from __future__ import annotations

import numpy as np
from msgspec import structs

from ebpftop.frames.messages import (
    AnyFrame,
    Host,
    Hosts,
    HostState,
    Pressure,
    Process,
    Processes,
    Programs,
    ReadPrograms,
    ReadThreads,
    Snapshot,
    Threads,
)
from ebpftop.hosts.joining import with_host
from ebpftop.ui.screens.hosts import HostsScreen
from ebpftop.ui.widgets.compared_panels import ComparedGrid
from ebpftop.ui.widgets.header import HeaderLine
from ebpftop.ui.widgets.status import StatusLine
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid
from ebpftop.ui.widgets.timeline import Timeline
from ebpftop.ui.widgets.trail import Trail
from tests.support.frames import EPOCH, SECOND, columns, hello, loaded, probe, snapshot
from tests.ui.comparing import compared
from tests.ui.conftest import Open
from tests.ui.probes import BY_PROCESS

VIEW = with_host(BY_PROCESS, "host")
PROBE = probe("cpu/syscount", [VIEW])
LOAD = Host(realtime_ns=EPOCH, cpu_percent=12.0, memory_percent=30.0, load=0.5)
LIVE = HostState(name="web-1", state="live", heard_ns=EPOCH, load=LOAD, kernel="6.1.0", way_ns=3_000_000)
LOST = HostState(
    name="web-2", state="lost", heard_ns=EPOCH - 12 * SECOND, problem="no route to host", ahead_ns=5 * SECOND
)


def hosts(*states: HostState) -> Hosts:
    return Hosts(realtime_ns=EPOCH, hosts=list(states))


def frames(steps: int = 2) -> list[AnyFrame]:
    people = [Process(id=number, tgid=number, start_ns=1, comm=name) for number, name in ((1, "nginx"), (2, "redis"))]
    found: list[AnyFrame] = [hello(host="web-1, web-2"), Processes(processes=people)]
    found.append(loaded(1, PROBE.id, VIEW))
    for step in range(1, steps + 1):
        calls = np.array([100 * step, 900 * step], "<u8")
        rows = columns(tgid=np.array([1, 2], "<u4"), host=["web-1", "web-2"], count=calls, total_ns=calls)
        found.append(snapshot(1, step, {"by_process": rows}))
    return found


async def test_the_header_says_which_hosts_are_there(stage: Open) -> None:
    async with stage(*frames()) as on:
        await on.play(hosts(LIVE, structs.replace(LIVE, name="web-2")))
        assert "web-1 cpu  12%   web-2 cpu  12%" in on.see(HeaderLine)
        await on.play(hosts(LIVE, structs.replace(LOST, state="late")))
        assert "▲ web-2 12 s ago" in on.see(HeaderLine)
        await on.play(hosts(LIVE, LOST))
        assert "✗ web-2 12 s ago" in on.see(HeaderLine)


async def test_the_header_says_what_much_of_a_host_waits_for_and_sums_what_we_cost(stage: Open) -> None:
    def at(second: int, waited: int) -> Hosts:
        pressure = {"io": Pressure(some_ns=waited * SECOND, full_ns=0)}
        load = structs.replace(
            LOAD, realtime_ns=EPOCH + second * SECOND, pressure=pressure, own_ns=second * SECOND // 50
        )
        calm = structs.replace(load, pressure={"io": Pressure(some_ns=0, full_ns=0)})
        now = EPOCH + second * SECOND
        states = [structs.replace(LIVE, name=name, load=load) for name, load in (("web-1", calm), ("web-2", load))]
        return Hosts(realtime_ns=now, hosts=states)

    async with stage(*frames()) as on:
        await on.play(*(at(second, second // 2) for second in range(9)))
        seen = on.see(HeaderLine)
        assert "web-1 cpu  12%   web-2 cpu  12%   psi io 50%" in seen
        assert "ebpftop on 2 hosts" in seen
        await on.press("H")
        seen = on.see(TableGrid)
        assert "io 50%" in seen
        assert seen.count("2%") >= 2  # ebpftop's share of a CPU on each


async def test_numbers_of_a_host_from_which_nothing_comes_are_marked(stage: Open) -> None:
    async with stage(*frames()) as on:
        late = structs.replace(LOST, state="late", heard_ns=EPOCH + SECOND)
        await on.play(structs.replace(hosts(LIVE, late), realtime_ns=EPOCH + 5 * SECOND))
        assert "▲ nothing from web-2 since " in on.see(StatusLine)
        grid = on.one(TableGrid)
        rows = {str(grid.rows.key(row)[0]): grid.rows.gone(row) for row in range(grid.rows.count)}
        assert rows == {"web-1": False, "web-2": True}
        (line,) = [line for line in on.see(TableGrid).splitlines() if "redis" in line]
        assert "–" in line
        assert "0/s" not in line
        assert "▲" in on.see(Timeline)
        await on.play(structs.replace(hosts(LIVE, structs.replace(LIVE, name="web-2")), realtime_ns=EPOCH + 9 * SECOND))
        await on.play(*(frame for frame in frames(12) if isinstance(frame, Snapshot) and frame.seq > 2))
        assert "nothing from" not in on.see(StatusLine)


async def test_a_list_of_hosts_says_why_one_is_lost(stage: Open) -> None:
    async with stage(*frames(), hosts(LIVE, LOST)) as on:
        await on.press("H")
        assert isinstance(on.app.screen, HostsScreen)
        seen = on.see(TableGrid)
        assert "live" in seen
        assert "lost, " in seen
        assert "no route to host" in seen
        assert "+5 s" in seen
        await on.press("escape")
        assert not isinstance(on.app.screen, HostsScreen)


async def test_a_host_is_selected_in_all_views(stage: Open) -> None:
    async with stage(*frames(), hosts(LIVE, LOST)) as on:
        await on.press("H", "down", "full_stop")
        (choice,) = on.app.feed.selection.choices
        assert (choice.dimension, choice.value) == ("host", "web-2")
        assert "host web-2" in on.see(Trail)
        seen = on.see(TableGrid)
        assert "redis" in seen
        assert "nginx" not in seen


async def test_all_programs_and_threads_are_those_of_the_selected_host(stage: Open) -> None:
    async with stage(*frames(), hosts(LIVE, structs.replace(LIVE, name="web-2"))) as on:
        await on.press("A")
        assert ReadPrograms(host="") in on.source.requests
        await on.press("escape", "H", "down", "down", "full_stop", "A")
        assert ReadPrograms(host="web-2") in on.source.requests
        await on.play(Programs(monotonic_ns=1, boottime_ns=1, host="web-2"))
        assert str(on.one(TableFrame).border_title).strip().startswith("All BPF programs · web-2")
        await on.press("escape", "W")
        assert ReadThreads(host="web-2") in on.source.requests
        await on.play(Threads(monotonic_ns=1, boottime_ns=1, host="web-2"))
        assert str(on.one(TableFrame).border_title).strip().startswith("Threads: what they wait for · web-2")


async def test_two_hosts_are_compared(stage: Open) -> None:
    async with stage(*frames(30), hosts(LIVE, LOST)) as on:
        await on.press("H", "down", "down", "a", "up", "b")
        assert on.app.feed.when.hosts == ("web-1", "web-2")
        assert "comparing A web-1 with B web-2" in on.see(HeaderLine)
        await compared(on)
        seen = on.see(ComparedGrid)
        assert "nginx" in seen
        assert "redis" in seen
        await on.press("b")
        assert not on.app.feed.when.compares


async def test_a_machine_alone_has_no_list(stage: Open) -> None:
    async with stage(*frames()) as on:
        await on.press("H")
        assert not isinstance(on.app.screen, HostsScreen)
        assert on.told() == ["this dashboard watches one machine: 'ebpftop --host NAME' watches others"]
