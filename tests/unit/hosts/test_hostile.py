"""A host may send anything: it is cut off, and the others go on."""

from __future__ import annotations

import asyncio
import time

import msgspec
import numpy as np
import pytest
from msgspec import structs

from ebpftop.frames.codec import BadFrame, encode
from ebpftop.frames.messages import (
    AnyFrame,
    Column,
    Cost,
    Detach,
    Detached,
    Host,
    Notice,
    Pong,
    Process,
    Processes,
    ProgramCost,
    RowChanges,
    Snapshot,
)
from ebpftop.frames.reading import FrameDecoder
from ebpftop.frames.tape_format import FRAME_LIMIT, PLAIN_LIMIT
from ebpftop.hosts import merged
from ebpftop.hosts.clocks import Clocks
from tests.support.far_host import FarHost
from tests.support.frames import CALLS, LATENCY, SECOND, catalog, columns, hello, loaded, probe, snapshot
from tests.unit.hosts.conftest import Read
from tests.unit.hosts.test_merged import CATALOG, calls, named, rows

BAD: dict[str, list[AnyFrame]] = {
    "a second beginning": [hello()],
    "texts where others have numbers": [
        snapshot(41, 1, {"calls": columns(tgid=["a"], nr=[1], count=[1], last_ns=[1])}),
    ],
    "a column too few": [snapshot(41, 1, {"calls": columns(tgid=np.ones(1, "<u4"), nr=[1], last_ns=[1])})],
    "impossible counts": [
        snapshot(41, 1, {"calls": columns(tgid=np.ones(1, "<u4"), nr=[1], count=[1 << 60], last_ns=[1])})
    ],
    "counts below zero": [
        snapshot(41, 1, {"calls": columns(tgid=np.ones(1, "<u4"), nr=[1], count=np.array([-5], "<i8"), last_ns=[1])})
    ],
    "columns of different lengths": [snapshot(41, 1, {"calls": columns(tgid=[1, 2], nr=[1], count=[1], last_ns=[1])})],
    "a process beyond its share": [
        Processes(processes=[Process(id=number << 12, tgid=1, start_ns=1) for number in range(1 << 15)])
    ],
}


@pytest.mark.parametrize("what", BAD)
async def test_a_hostile_host_is_cut_off_and_the_others_go_on(read: Read, what: str) -> None:
    good, bad = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": good, "web-2": bad}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: good.run == bad.run == 41)
        good.play(named(7, "nginx"), snapshot(41, 1, calls((7, 1, 23))))
        await reader.until(lambda: run.last)
        bad.play(*BAD[what])
        good.play(snapshot(41, 2, calls((7, 1, 24))))
        await reader.until(lambda: bad.connections > 1)
        good.play(snapshot(41, 3, calls((7, 1, 25))))
        await reader.until(lambda: ("web-1", "nginx", 25) in rows(reader, run))
        assert any(text.startswith("web-2: ") and "reconnecting" in text for text in reader.notices)


async def test_other_columns_of_a_map_are_left_out(read: Read) -> None:
    good, bad = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": good, "web-2": bad}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: good.run == bad.run == 41)
        good.play(named(7, "nginx"), snapshot(41, 1, calls((7, 1, 23))))
        await reader.until(lambda: run.last)
        more = columns(tgid=np.ones(1, "<u4"), nr=np.ones(1, "<u4"), count=[1], last_ns=[1], more=[1])
        bad.play(snapshot(41, 1, {"calls": more}))
        await reader.until(lambda: any("other columns" in text for text in reader.notices))
        await reader.until(lambda: Detach(run=41) in bad.requests)
        good.play(snapshot(41, 2, calls((7, 1, 24))))
        await reader.until(lambda: rows(reader, run) == {("web-1", "nginx", 24)})


async def test_a_run_that_was_not_requested_is_not_shown(read: Read) -> None:
    good, bad = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": good, "web-2": bad}) as reader:
        for number in range(300):
            bad.play(loaded(number, "cpu/syscount", CALLS, request=number + 1), snapshot(number, 1, calls((7, 1, 1))))
        bad.play(Notice(level="info", text="that was all"))
        await reader.until(lambda: "web-2: that was all" in reader.notices)
        assert not reader.session.runs


async def test_a_host_that_never_detaches_is_not_waited_for(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged, "_DETACHING", 0.2)
    good, bad = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": good, "web-2": bad}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: good.run == bad.run == 41)
        bad.play(named(7, "nginx"), snapshot(41, 1, calls((7, 1, 23))))
        await reader.until(lambda: run.last)
        await reader.source.request(Detach(run=run.id))
        good.play(Detached(run=41))
        await reader.until(lambda: any(isinstance(frame, Detached) for frame in reader.frames))
        assert ("web-2", "nginx", 23) in rows(reader, run)
        assert reader.notices == ["web-2: cpu/syscount: it doesn't say that the probe is detached"]


async def test_a_host_can_not_end_a_run_of_the_others(read: Read) -> None:
    good, bad = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": good, "web-2": bad}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: good.run == bad.run == 41)
        bad.play(Detached(run=41, reason="over"), Notice(level="info", text="that was all"))
        await reader.until(lambda: "web-2: that was all" in reader.notices)
        assert run.state == "running"
        assert "web-2: cpu/syscount: detached, over" in reader.notices


async def test_frames_without_end_wait_until_they_are_read(read: Read) -> None:
    bad = FarHost(CATALOG)
    async with read({"web-1": bad, "web-2": FarHost(CATALOG)}) as reader:
        bad.play(*[named(number, f"p{number}") for number in range(5000)])
        await reader.until(lambda: "p4999" in reader.people())
        assert reader.waiting <= 100


@pytest.mark.parametrize("what", ["notices", "answers"])
async def test_a_host_says_only_so_much(read: Read, what: str) -> None:
    good, bad = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": good, "web-2": bad}) as reader:
        await reader.load("cpu/syscount")
        await reader.until(lambda: good.run == bad.run == 41)
        if what == "notices":
            bad.play(*[Notice(level="error", text="x" * 10_000)] * 5000)
        else:
            bad.play(*[loaded(41, "cpu/syscount", LATENCY, request=1)] * 5000)
        bad.play(named(7, "last"))
        good.play(Notice(level="info", text="hello"))
        await reader.until(lambda: "last" in reader.people() and "web-1: hello" in reader.notices)
        theirs = [text for text in reader.notices if text.startswith("web-2: ")]
        assert len(theirs) <= 25
        assert any("it says more, which is left out" in text for text in theirs)
        assert max(map(len, theirs)) <= 1001


@pytest.mark.parametrize("claimed", [10**15, (1 << 62) - 1])
async def test_a_host_can_not_move_the_time_of_all(read: Read, claimed: int) -> None:
    """A time that lies in the future is now, and a tape of it can be read."""
    good, bad = FarHost(CATALOG, ahead_ns=-SECOND), FarHost(CATALOG, ahead_ns=-SECOND)
    async with read({"web-1": good, "web-2": bad}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: good.run == bad.run == 41)
        good.play(now(snapshot(41, 1, calls((7, 1, 23)))))
        bad.play(
            Processes(processes=[Process(id=7, tgid=7, start_ns=claimed, comm="bad", ended_ns=claimed)]),
            structs.replace(snapshot(41, 1, calls((7, 1, 23))), **dict.fromkeys(CLOCKS, claimed)),
            Cost(run=41, monotonic_ns=claimed, accounted=True, programs=[]),
            Host(realtime_ns=claimed, cpu_percent=1.0, memory_percent=1.0, load=1.0),
        )
        await reader.until(lambda: run.last)
        first = run.last
        await asyncio.sleep(0.2)
        good.play(now(snapshot(41, 2, calls((7, 1, 24)))))
        await reader.until(lambda: run.last is not first)
        assert first is not None
        assert run.last is not None
        assert first.monotonic_ns < run.last.monotonic_ns <= time.monotonic_ns()
        assert run.last.monotonic_ns - first.monotonic_ns > SECOND // 10
        assert [text for text in reader.notices if "future" in text] == [
            "web-2: some of its times lie in the future; they are shown as now"
        ]
        assert "bad" in reader.people()
    assert can_be_read(reader.frames)


@pytest.mark.parametrize("claimed", [[5, 5], [5, 6], [10**15, 5], [None, 5]])
async def test_a_host_that_claims_past_times_has_right_rates(read: Read, claimed: list[int | None]) -> None:
    only = FarHost(CATALOG)
    async with read({"web-1": only}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: only.run == 41)
        times = []
        for number, at in enumerate(claimed, 1):
            frame = now(snapshot(41, number, calls((7, 1, 23 * number))))
            last = run.last
            only.play(frame if at is None else structs.replace(frame, monotonic_ns=at))
            await reader.until(lambda last=last: run.last is not last)
            assert run.last is not None
            times.append(run.last.monotonic_ns)
            await asyncio.sleep(0.5)
    assert 0.4 < (times[1] - times[0]) / SECOND < 5


def can_be_read(frames: list[AnyFrame]) -> bool:
    return len([*FrameDecoder(bounded=True).feed(b"".join(map(encode, frames)))]) == len(frames)


async def test_what_two_hosts_claim_is_not_too_large_together(read: Read) -> None:
    most = (1 << 62) - 1
    names = {host: [f"{host}-{number}" for number in range(3000)] for host in ("web-1", "web-2")}
    hosts = {"web-1": FarHost(CATALOG), "web-2": FarHost(CATALOG)}
    async with read(hosts) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: all(host.run == 41 for host in hosts.values()))
        for name, host in hosts.items():
            each = ["on_event", *names[name]]
            programs = [ProgramCost(name=program, run_count=most, run_time_ns=most) for program in each]
            host.play(Cost(run=41, monotonic_ns=5, accounted=True, programs=programs))
            host.play(snapshot(41, 1, calls((7, 1, 23)), lost=most))
        await reader.until(lambda: run.last)
        await reader.until(lambda: any(isinstance(frame, Cost) for frame in reader.frames))
    assert can_be_read(reader.frames)


CLOCKS = ("realtime_ns", "monotonic_ns", "boottime_ns")


def now(frame: Snapshot) -> Snapshot:
    """The frame as a host sends it whose clocks are a second behind."""
    clocks = time.time_ns(), time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return structs.replace(frame, **{name: ns - SECOND for name, ns in zip(CLOCKS, clocks, strict=True)})


@pytest.mark.parametrize("claimed", [0, (1 << 62) - 1])
def test_clocks_that_no_machine_has_are_refused(claimed: int) -> None:
    clocks = Clocks()
    clocks.asks(1)
    with pytest.raises(BadFrame, match="its clocks can't be right"):
        clocks.answered(Pong(number=1, realtime_ns=claimed, monotonic_ns=claimed, boottime_ns=claimed))


def test_a_frame_of_a_host_is_as_small_as_that_of_a_tape() -> None:
    with pytest.raises(BadFrame, match="exceeds the limit"):
        list(FrameDecoder(bounded=True).feed((FRAME_LIMIT + 1).to_bytes(4, "little")))
    many = Processes(processes=[Process(id=1, tgid=1, start_ns=1, comm="x" * 1000)] * (PLAIN_LIMIT // 1000))
    with pytest.raises(BadFrame, match="too many objects"):
        list(FrameDecoder(bounded=True).feed(encode(many)))
    assert list(FrameDecoder().feed(encode(many))) == [many]
    assert msgspec.structs.asdict(RowChanges(gone=Column(dtype="<u4", data=b"")))["gone"] is not None


def test_a_catalog_is_small_enough() -> None:
    found = catalog(*[probe(f"cpu/p{number}", [CALLS]) for number in range(400)])
    assert list(FrameDecoder(bounded=True).feed(encode(found))) == [found]
