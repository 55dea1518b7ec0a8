from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from ebpftop.frames.columns import Labels, unpack
from ebpftop.frames.messages import (
    AnyRequest,
    Catalog,
    Columns,
    Describe,
    Detach,
    Detached,
    Hello,
    Load,
    Losses,
    Pong,
    Process,
    Processes,
    ProcessFacts,
    Program,
    Programs,
    ReadProcess,
    ReadPrograms,
    ReadThreads,
    Refused,
    Rejected,
    Snapshot,
    ThreadPlace,
    Threads,
    Watch,
)
from ebpftop.model.grouping import grouped_table, groupings
from ebpftop.model.past.span import START
from ebpftop.model.readings import events as events_of
from ebpftop.model.readings import histogram, table
from ebpftop.model.run import Run
from ebpftop.stats.slots import slot_of
from tests.support.far_host import FarHost
from tests.support.frames import (
    CALLS,
    EXECS,
    LATENCY,
    SECOND,
    TIMED,
    catalog,
    columns,
    events,
    moments,
    probe,
    snapshot,
)
from tests.unit.hosts.conftest import Read, Reader

CATALOG = catalog(
    probe("cpu/runqlat", [LATENCY]),
    probe("cpu/syscount", [CALLS]),
    probe("cpu/execsnoop", [EXECS]),
    probe("cpu/profile", [TIMED]),
)


def calls(*rows: tuple[int, int, int]) -> dict[str, Columns]:
    """(process, call, count)"""
    tgid, nr, count = (list(each) for each in zip(*rows, strict=True)) if rows else ([], [], [])
    return {
        "calls": columns(
            tgid=np.array(tgid, "<u4"), nr=np.array(nr, "<u4"), count=np.array(count, "<u8"), last_ns=[0] * len(rows)
        )
    }


def recently() -> int:
    """A boottime in the past, also of a host whose clock is a little behind."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 50 * SECOND


def named(session_process: int, comm: str) -> Processes:
    return Processes(processes=[Process(id=session_process, tgid=100 + session_process, start_ns=5, comm=comm)])


def rows(reader: Reader, run: Run) -> set[tuple[str, str, int]]:
    """(host, process, calls) of all that was counted."""
    found = table(run, run.views[0], START)
    if not len(found):
        return set()
    hosts, people = found.keys["host"], found.keys["tgid"]
    assert isinstance(hosts, Labels)
    assert isinstance(people, np.ndarray)
    names = [reader.session.processes[each].comm for each in people.tolist()]
    return {*zip(hosts.texts(), names, found.totals["count"].tolist(), strict=True)}


async def test_rows_of_one_process_number_on_two_hosts_are_two_rows(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": one, "web-2": two}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: one.run == two.run == 41)
        one.play(named(7, "nginx"), snapshot(41, 1, calls((7, 1, 23))))
        two.play(named(7, "redis"), snapshot(41, 1, calls((7, 1, 101))))
        await reader.until(lambda: len(rows(reader, run)) == 2)
        assert rows(reader, run) == {("web-1", "nginx", 23), ("web-2", "redis", 101)}
        one.play(snapshot(41, 2, calls((7, 1, 30))))
        two.play(snapshot(41, 2, calls((7, 1, 102))))
        await reader.until(lambda: run.last and run.last.seq >= 2)
        await reader.until(lambda: rows(reader, run) == {("web-1", "nginx", 30), ("web-2", "redis", 102)})
        assert [frame.host for frame in reader.frames if isinstance(frame, Hello)] == ["web-1, web-2"]


async def test_rows_can_be_summed_by_host(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": one, "web-2": two}) as reader:
        run = await reader.load("cpu/syscount")
        one.play(snapshot(41, 1, calls((1, 1, 2), (2, 1, 3))))
        two.play(snapshot(41, 1, calls((1, 1, 7), (2, 1, 11))))
        await reader.until(lambda: len(table(run, run.views[0], START)) == 4)
        (by_host,) = [each for each in groupings(run.views[0]) if each.dimension == "host"]
        found, _ = grouped_table(
            run.views[0], table(run, run.views[0], START), by_host, reader.session.processes, np.zeros(4, bool)
        )
        hosts = found.keys["host"]
        assert isinstance(hosts, Labels)
        assert dict(zip(hosts.texts(), found.totals["count"].tolist(), strict=True)) == {"web-1": 5, "web-2": 18}


async def test_histograms_add_up_bucket_by_bucket(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG)

    def values(slots: Sequence[int], counts: Sequence[int]) -> dict[str, Columns]:
        tgid = np.ones(len(slots), "<u4")
        return {"latency": columns(tgid=tgid, slot=np.array(slots, "<u4"), count=np.array(counts, "<u8"))}

    fast, slow = slot_of(1_000), slot_of(1_000_000)
    async with read({"web-1": one, "web-2": two}) as reader:
        run = await reader.load("cpu/runqlat")
        one.play(snapshot(41, 1, values([fast, slow], [90, 10])))
        await reader.until(lambda: run.last)  # the numbers of its processes are the first ones
        two.play(snapshot(41, 1, values([fast], [400])))
        await reader.until(lambda: run.last and histogram(run, run.views[0], wanted=START).counts.sum() == 500)
        assert histogram(run, run.views[0], {"tgid": 1 << 12 | 1, "host": "web-1"}, START).counts.sum() == 100
        counts = histogram(run, run.views[0], wanted=START)
        assert counts.quantile(0.97)[0] <= 1_000 < counts.quantile(0.99)[0]


async def test_events_say_their_host_and_losses_add_up(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG)

    def started(*names: str) -> Columns:
        return columns(tgid=np.ones(len(names), "<u4"), args=[*names], errno=["" for _ in names])

    async with read({"web-1": one, "web-2": two}) as reader:
        run = await reader.load("cpu/execsnoop")
        await reader.until(lambda: one.run == two.run == 41)
        one.play(events(41, "events", started("ls", "cat"), lost=3))
        two.play(events(41, "events", started("tar"), lost=4))
        await reader.until(lambda: "events" in run.events and run.events["events"].total == 3)
        assert len(events_of(run, run.views[0])) == 3
        chunks = list(run.events["events"].since(0))
        found = {pair for chunk in chunks for pair in zip(chunk["host"].texts(), chunk["args"].texts(), strict=True)}
        assert found == {("web-1", "ls"), ("web-1", "cat"), ("web-2", "tar")}
        assert run.losses == Losses(lost=7)


async def test_single_samples_of_several_hosts_are_left_out_as_their_cpus_have_one_number(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": one, "web-2": two}) as reader:
        run = await reader.load("cpu/profile")
        one.play(moments(41, (1000 * SECOND, 0, 1, 1)))
        one.play(snapshot(41, 1, {"counts": columns(tgid=np.ones(1, "<u4"), stack=np.ones(1, "<u4"), count=[5])}))
        await reader.until(lambda: run.last)
        assert run.views[0].moments == ""
        assert not run.samples


async def test_a_host_that_comes_back_counts_on(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": one, "web-2": two}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: one.run == two.run == 41)
        for host in (one, two):
            host.play(named(7, "nginx"), snapshot(41, 1, calls((7, 1, 50)), lost=2))
        await reader.until(lambda: len(rows(reader, run)) == 2)
        two.cut("no route to it")
        await reader.until(lambda: two.connections == 2 and two.run == 42)
        assert "web-2: no route to it; reconnecting" in reader.notices
        await reader.until(lambda: "web-2: reconnected" in reader.notices)
        two.play(named(7, "redis"), snapshot(42, 1, calls((7, 1, 8)), lost=1))
        await reader.until(lambda: len(rows(reader, run)) == 3)
        assert rows(reader, run) == {("web-1", "nginx", 50), ("web-2", "nginx", 50), ("web-2", "redis", 8)}
        assert run.losses == Losses(lost=5)
        assert run.state == "running"
        (ledger,) = run.ledgers.values()
        assert ledger.skew == 0


@pytest.mark.parametrize("count", [1, 2])
async def test_all_hosts_may_go_and_come_back(read: Read, count: int) -> None:
    """Their labels go with their rows."""
    hosts = {f"web-{number}": FarHost(CATALOG) for number in range(count)}
    many = columns(tgid=np.ones(99, "<u4"), nr=[f"call {n}" for n in range(99)], count=[5] * 99, last_ns=[0] * 99)
    async with read(hosts) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: all(host.run == 41 for host in hosts.values()))
        for host in hosts.values():
            host.play(named(1, "nginx"), snapshot(41, 1, {"calls": many}))
        await reader.until(lambda: len(table(run, run.views[0], START)) == 99 * count)
        for host in hosts.values():
            host.cut()
        await reader.until(lambda: all(host.run == 42 for host in hosts.values()))
        for host in hosts.values():
            host.play(named(2, "redis"), snapshot(42, 1, {"calls": many}))
        await reader.until(lambda: len(table(run, run.views[0], START)) == 2 * 99 * count)
        assert run.state == "running"


async def test_what_runs_is_loaded_on_a_host_that_comes_late(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": one, "web-2": two}) as reader:
        two.cut()
        await reader.until(lambda: not reader.source.peers[1].is_ready)
        await reader.load("cpu/syscount")
        await reader.until(lambda: two.run == 41)
        loads = [request for request in two.requests if isinstance(request, Load)]
        assert [(load.probe, load.interval) for load in loads] == [("cpu/syscount", 1.0)]


async def test_a_host_is_asked_by_its_own_numbers(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": one, "web-2": two}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: one.run == two.run == 41)
        one.play(named(7, "nginx"))
        two.play(named(9, "redis"))
        await reader.until(lambda: reader.people() == {"nginx", "redis"})
        numbers = {each.comm: number for number, each in reader.session.processes.items()}
        await reader.source.request(Describe(processes=[*numbers.values()]))
        await reader.source.request(Watch(runs=[run.id], cgroup="/system.slice/secret"))
        await reader.source.request(Detach(run=run.id))
        await reader.until(lambda: Detach(run=41) in one.requests and Detach(run=41) in two.requests)
        assert Watch(runs=[41]) in one.requests
        assert Describe(processes=[7]) in one.requests
        assert Describe(processes=[9]) in two.requests


async def test_a_run_ends_when_it_has_ended_everywhere(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": one, "web-2": two}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: one.run == two.run == 41)
        await reader.source.request(Detach(run=run.id))
        one.play(snapshot(41, 1, calls((7, 1, 50))), Detached(run=41))
        two.play(snapshot(41, 1, calls((7, 1, 60))))
        await reader.until(lambda: run.last)
        assert run.state != "detached"
        two.play(snapshot(41, 2, calls((7, 1, 61))), Detached(run=41))
        await reader.until(lambda: run.state == "detached")
        assert table(run, run.views[0], START).totals["count"].tolist() == [50, 61]


async def test_a_run_ends_although_a_host_is_gone(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": one, "web-2": two}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: one.run == two.run == 41)
        await reader.source.request(Detach(run=run.id))
        one.play(Detached(run=41))
        two.cut()
        await reader.until(lambda: run.state == "detached")


async def test_what_one_host_rejects_runs_on_the_others(read: Read) -> None:
    def rejects(load: Load) -> list[Rejected]:
        return [Rejected(run=3, probe=load.probe, params={}, stage="verify", error="the verifier says no")]

    one, two = FarHost(CATALOG, answer=rejects), FarHost(CATALOG)
    async with read({"web-1": one, "web-2": two}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: "web-1: cpu/syscount: the verifier says no" in reader.notices)
        assert run.state == "running"
        await reader.until(lambda: run.gaps)
        assert str(run.gaps[0]).startswith("nothing from web-1 since ")
        assert str(run.gaps[0]).endswith(": the verifier says no")


async def test_what_all_hosts_refuse_is_refused_once(read: Read) -> None:
    def refuses(load: Load) -> list[Refused]:
        return [Refused(error="no such pid")]

    one, two = FarHost(CATALOG, answer=refuses), FarHost(CATALOG, answer=refuses)
    async with read({"web-1": one, "web-2": two}) as reader:
        await reader.source.request(Load(request=5, probe="cpu/syscount"))
        await reader.until(lambda: reader.session.refused)
        assert [frame.request for frame in reader.frames if isinstance(frame, Refused)] == [5]
        assert sum("no such pid" in text for text in reader.notices) == 1


async def test_a_host_with_another_version_of_a_probe_is_left_out(read: Read) -> None:
    other = catalog(probe("cpu/syscount", [msgspec.structs.replace(CALLS, title="Calls, differently")]))
    one, two = FarHost(CATALOG), FarHost(other)
    async with read({"web-1": one, "web-2": two}) as reader:
        run = await reader.load("cpu/syscount")
        await reader.until(lambda: any("another version of this probe" in text for text in reader.notices))
        await reader.until(lambda: any(isinstance(each, Detach) for host in (one, two) for each in host.requests))
        assert run.state == "running"
        await reader.until(lambda: [gap.why for gap in run.gaps])
        assert "another version of this probe" in run.gaps[0].why


@pytest.mark.parametrize(("ahead", "word"), [(5, "5.0 s ahead of"), (-90, "90.0 s behind")])
async def test_clocks_that_differ_are_told_and_times_are_ours(read: Read, ahead: int, word: str) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG, ahead_ns=ahead * SECOND)
    async with read({"web-1": one, "web-2": two}) as reader:
        await reader.until(lambda: any(f"web-2: its clock is {word}" in text for text in reader.notices))
        assert not any(text.startswith("web-1: its clock") for text in reader.notices)
        start = recently()
        for host in (one, two):
            host.play(Processes(processes=[Process(id=1, tgid=1, start_ns=start, comm="init")]))
        await reader.until(lambda: len(reader.session.processes) == 2)
        apart = [each.start_ns - start for each in reader.session.processes.values()]
        assert round((apart[0] - apart[1]) / SECOND) == ahead


async def test_one_host_alone_needs_no_column(read: Read) -> None:
    one = FarHost(CATALOG)
    async with read({"web-1": one}) as reader:
        run = await reader.load("cpu/syscount")
        one.play(snapshot(41, 1, calls((7, 1, 50))))
        await reader.until(lambda: run.last)
        assert run.views == [CALLS]
        (last,) = [frame for frame in reader.frames if isinstance(frame, Snapshot)]
        assert unpack(last.maps["calls"]).keys() == {"tgid", "nr", "count", "last_ns"}


async def test_the_catalog_says_which_host_lacks_a_probe(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(catalog(probe("cpu/syscount", [CALLS], available=False, reason="no BTF")))
    async with read({"web-1": one, "web-2": two}) as reader:
        await reader.until(lambda: reader.session.catalog)
        found = reader.session.catalog
        assert isinstance(found, Catalog)
        probes = {each.id: each for each in found.probes}
        assert (probes["cpu/syscount"].available, probes["cpu/syscount"].reason) == (True, "web-2: no BTF")
        assert probes["cpu/runqlat"].reason == "web-2: not in the catalog there"


async def test_all_programs_and_threads_are_those_of_the_host_that_is_named(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG, ahead_ns=100 * SECOND)
    async with read({"web-1": one, "web-2": two}) as reader:
        await reader.source.request(ReadPrograms(host="web-2"))
        await reader.source.request(ReadThreads(host="web-2"))
        await reader.until(lambda: {ReadPrograms(), ReadThreads()} <= {*filter(_is_reading, two.requests)})
        assert not [*filter(_is_reading, one.requests)]
        one.play(Programs(monotonic_ns=1, boottime_ns=1, error="of nobody who was asked"))
        start = recently()
        thread = ThreadPlace(tid=7, tgid=7, start_ns=start, comm="a", process="a", state="S", cpu_ns=1)
        program = Program(
            id=1, name="a", type="kprobe", tag="", loaded_ns=start, run_time_ns=0, run_count=0, jited=0, translated=0
        )
        two.play(
            Programs(monotonic_ns=1, boottime_ns=1, programs=[program]),
            Threads(monotonic_ns=1, boottime_ns=1, threads=[thread]),
        )
        await reader.until(lambda: any(isinstance(frame, Threads) for frame in reader.frames))
        (found,) = [frame for frame in reader.frames if isinstance(frame, Threads)]
        assert found.host == "web-2"
        assert round((found.threads[0].start_ns - start) / SECOND) == -100  # by our clock, as those of processes
        (programs,) = [frame for frame in reader.frames if isinstance(frame, Programs)]
        assert (programs.host, programs.error) == ("web-2", "")
        assert round((programs.programs[0].loaded_ns - start) / SECOND) == -100


def _is_reading(request: AnyRequest) -> bool:
    return isinstance(request, ReadPrograms | ReadThreads)


@pytest.mark.parametrize(
    ("host", "why"), [("", "H lists the hosts, . selects one"), ("web-9", "web-9 is not connected")]
)
async def test_without_a_host_there_are_no_lists(read: Read, host: str, why: str) -> None:
    async with read({"web-1": FarHost(CATALOG), "web-2": FarHost(CATALOG)}) as reader:
        await reader.source.request(ReadPrograms(host=host))
        await reader.until(lambda: any(isinstance(frame, Programs) for frame in reader.frames))
        (answer,) = [frame for frame in reader.frames if isinstance(frame, Programs)]
        assert why in answer.error


async def test_who_waits_for_a_list_is_told_that_its_host_is_gone(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": one, "web-2": two}) as reader:
        await reader.source.request(ReadThreads(host="web-2"))
        await reader.until(lambda: ReadThreads() in two.requests)
        two.cut()
        await reader.until(lambda: any(isinstance(frame, Threads) for frame in reader.frames))
        (answer,) = [frame for frame in reader.frames if isinstance(frame, Threads)]
        assert answer.error == "web-2 is not connected"


async def test_two_names_of_one_machine_are_told(read: Read) -> None:
    hosts = {"web-1": FarHost(CATALOG, name="a"), "web": FarHost(CATALOG, name="a"), "db": FarHost(CATALOG, name="b")}
    async with read(hosts) as reader:
        await reader.until(lambda: reader.notices)
        (told,) = [text for text in reader.notices if "the same machine" in text]
        assert {"web-1", "web"} == {*told.replace(":", " ").split()} & {"web-1", "web", "db"}


async def test_a_process_is_looked_at_on_its_own_host(read: Read) -> None:
    """Its start says which it is: the other host answers that it has no such process."""
    one, two = FarHost(CATALOG), FarHost(CATALOG, ahead_ns=100 * SECOND)
    async with read({"web-1": one, "web-2": two}) as reader:
        start = recently()
        two.play(Processes(processes=[Process(id=1, tgid=17, start_ns=start, comm="redis")]))
        await reader.until(lambda: reader.session.processes)
        (process,) = reader.session.processes.values()
        await reader.source.request(ReadProcess(tgid=17, start_ns=process.start_ns))
        await reader.until(lambda: any(isinstance(each, ReadProcess) for each in one.requests))
        await reader.until(lambda: ReadProcess(tgid=17, start_ns=start) in two.requests)
        (asked,) = [each for each in one.requests if isinstance(each, ReadProcess)]
        one.play(ProcessFacts(tgid=17, start_ns=asked.start_ns, boottime_ns=1, gone=True))
        two.play(ProcessFacts(tgid=17, start_ns=start, boottime_ns=1, comm="redis"))
        await reader.until(lambda: any(isinstance(frame, ProcessFacts) for frame in reader.frames))
        (found,) = [frame for frame in reader.frames if isinstance(frame, ProcessFacts)]
        assert (found.comm, found.gone, found.start_ns) == ("redis", False, process.start_ns)


async def test_a_process_keeps_its_start_when_more_is_learned_of_its_hosts_clocks(read: Read) -> None:
    far = FarHost(CATALOG, ahead_ns=100 * SECOND)
    async with read({"web-1": FarHost(CATALOG), "web-2": far}) as reader:
        start = recently()
        far.play(Processes(processes=[Process(id=1, tgid=17, start_ns=start, comm="redis")]))
        await reader.until(lambda: reader.session.processes)
        (process,) = reader.session.processes.values()
        peer = reader.source.peers[1]
        peer.clocks.way_ns = 3600 * SECOND  # so that the next answer is the quickest
        before = peer.clocks.shift
        peer.clocks.asks(-1)
        far.play(Pong(number=-1, realtime_ns=1, monotonic_ns=1, boottime_ns=1))
        await reader.until(lambda: peer.clocks.shift != before)
        await reader.source.request(ReadProcess(tgid=17, start_ns=process.start_ns))
        await reader.until(lambda: ReadProcess(tgid=17, start_ns=start) in far.requests)
        far.play(ProcessFacts(tgid=17, start_ns=start, boottime_ns=1, comm="redis"))
        await reader.until(lambda: any(isinstance(frame, ProcessFacts) for frame in reader.frames))
        (found,) = [frame for frame in reader.frames if isinstance(frame, ProcessFacts)]
        assert found.start_ns == process.start_ns


async def test_a_process_that_no_host_has_is_gone(read: Read) -> None:
    one, two = FarHost(CATALOG), FarHost(CATALOG)
    async with read({"web-1": one, "web-2": two}) as reader:
        await reader.source.request(ReadProcess(tgid=17, start_ns=SECOND))
        for host in (one, two):
            host.play(ProcessFacts(tgid=17, start_ns=SECOND, boottime_ns=1, gone=True))
        await reader.until(lambda: any(isinstance(frame, ProcessFacts) for frame in reader.frames))
        (found,) = [frame for frame in reader.frames if isinstance(frame, ProcessFacts)]
        assert found.gone
