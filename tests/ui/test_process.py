"""From a row to its process's page: who it is, what the probes say, what would say more; kept after its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from textual.widgets import Input

from ebpftop.frames.messages import (
    Ancestor,
    AnyFrame,
    AnyRequest,
    Catalog,
    FileFacts,
    LimitFacts,
    Load,
    PlaybookInfo,
    ProcessFacts,
    ReadProcess,
    SocketFacts,
    StepInfo,
    ThreadFacts,
)
from ebpftop.ui.app.options import Options
from ebpftop.ui.messages import ProcessAsked
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.help import HelpScreen
from ebpftop.ui.screens.parameters import ParameterForm
from ebpftop.ui.screens.process import ENDED, ON_TAPE, PAUSED, ProcessScreen
from ebpftop.ui.screens.row import RowScreen
from ebpftop.ui.screens.standout import StandoutScreen
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.process_head import CHART, ProcessHead
from ebpftop.ui.widgets.process_lists import ListFrame, Tabs
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support.frames import loaded, process, processes, snapshot
from tests.ui.conftest import Open, Stage, answers, seen
from tests.ui.probes import EXECSNOOP, PROBES, RUN, RUNQLAT, SYSCOUNT, calls, execs, latencies
from tests.ui.test_tape import until

S = 1_000_000_000
MIB = 1 << 20
EVIL = "x\x1b[2J[b]y"
BACKUP = 4
PEOPLE = processes(
    process(1, "init", ppid=0, parent=""),
    process(BACKUP, EVIL, cgroup="/system.slice/backup.service", user="root", command=f"/bin/{EVIL} --all"),
    process(5, "logger"),
)
BOTH = Options(auto_load=[("cpu/syscount", {}), ("cpu/runqlat", {}), ("cpu/execsnoop", {})])
STARTED = [latencies(1, {BACKUP: {20_000: 1}, 5: {20_000: 1}}), calls(1, {BACKUP: 1, 5: 1})]
NUMBERS = [
    *(latencies(2, {BACKUP: {20_000: 1, 40_000_000: 11}, 5: {20_000: 3}}), calls(2, {BACKUP: 41, 5: 2})),
    execs([(BACKUP, "/bin/tar"), (5, "/bin/ls"), (BACKUP, "/bin/gzip")]),
    snapshot(RUN["cpu/execsnoop"], 2, {}),
]


def facts(second: int = 10, **changes: Any) -> ProcessFacts:
    """Half a CPU since the last second."""
    known: dict[str, Any] = {
        "tgid": 1000 + BACKUP,
        "start_ns": BACKUP,
        "boottime_ns": second * S,
        "comm": EVIL,
        "command": f"/bin/{EVIL} --all",
        "state": "S",
        "ancestors": [Ancestor(tgid=900, start_ns=1, comm="bash"), Ancestor(tgid=1, start_ns=0, comm="systemd")],
        "user": "root",
        "cgroup": "/system.slice/backup.service",
        "cpu_ns": second * S // 2,
        "rss": 12 * MIB,
        "pss": 9 * MIB,
        "swap": 0,
        "limits": [
            LimitFacts(name="core file size", soft=0, hard=None),
            LimitFacts(name="processes", soft=96_364, hard=96_364),
            LimitFacts(name="open files", soft=4, hard=8),
            LimitFacts(name="locked memory", soft=8 * MIB, hard=8 * MIB),
            LimitFacts(name="address space", soft=None, hard=None),
        ],
        "threads": [
            ThreadFacts(tid=1004, comm=EVIL, state="S", cpu_ns=second * S // 4, waits="futex_do_wait"),
            ThreadFacts(tid=1005, comm="helper", state="R", cpu_ns=second * S // 2),
        ],
        "thread_count": 70,
        "files": [FileFacts(fd=3, target=f"/tmp/{EVIL}"), FileFacts(fd=10, target="pipe:[7]")],
        "file_count": 2,
        "sockets": [SocketFacts(fd=5, protocol="tcp", local="127.0.0.1:80", remote="", state="listening")],
        "socket_count": 1,
    }
    return ProcessFacts(**(known | changes))


def gone(second: int) -> ProcessFacts:
    return ProcessFacts(tgid=1000 + BACKUP, start_ns=BACKUP, boottime_ns=second * S, gone=True)


def page(on: Stage) -> ProcessScreen:
    screen = on.app.screen
    assert isinstance(screen, ProcessScreen)
    return screen


def head(on: Stage) -> list[str]:
    return on.see(ProcessHead).splitlines()


def cells(frame: ListFrame) -> list[list[str]]:
    """The rows that are listed."""
    rows = seen(frame.grid).splitlines()[1:]
    return [[cell.strip() for cell in row.split("  ") if cell.strip()] for row in rows if row.strip()]


def reads(on: Stage) -> list[ReadProcess]:
    return [each for each in on.source.requests if isinstance(each, ReadProcess)]


async def begin(on: Stage) -> None:
    await on.play(PEOPLE, *STARTED)
    await on.play(*NUMBERS)


async def test_keys_faster_than_the_page_open_one_and_a_small_terminal_covers_it(stage: Open) -> None:
    async with stage(options=BOTH) as on:
        await begin(on)
        for _ in range(3):
            on.app.post_message(ProcessAsked(BACKUP))
        await on.pilot.resize_terminal(20, 5)
        await on.settle()
        assert [type(screen) for screen in on.app.screen_stack[2:]] == [ProcessScreen]
        await on.press("question_mark", "A")
        await on.pilot.resize_terminal(120, 36)
        await on.settle()
        assert page(on)
        await on.press("escape")
        assert isinstance(on.app.screen, Dashboard)


async def test_a_page_that_is_asked_for_while_it_ends_is_not_missed(stage: Open) -> None:
    async with stage(options=BOTH) as on:
        await begin(on)
        on.app.exit()
        on.app.on_process_asked(ProcessAsked(BACKUP))
    assert on.app.failure is None


async def open_page(on: Stage) -> None:
    """The probe that was loaded last but one is in front: system calls; the busiest process is on top."""
    await begin(on)
    await on.app.dashboard.bring(RUN["cpu/syscount"], focus=True)
    await on.settle()
    await on.press("down", "P")


@pytest.mark.parametrize(("nspid", "said"), [(17, "1004   17 in its pid namespace"), (0, "1004   root")])
async def test_the_pid_in_its_own_namespace_stands_beside_the_hosts(stage: Open, nspid: int, said: str) -> None:
    async with stage(options=BOTH, size=(120, 36)) as on:
        await begin(on)
        await on.play(processes(process(BACKUP, EVIL, user="root", nspid=nspid)))
        await on.app.dashboard.bring(RUN["cpu/syscount"], focus=True)
        await on.settle()
        await on.press("down", "P")
        assert said in head(on)[0]


async def test_a_row_opens_the_page_of_its_process(stage: Open) -> None:
    async with stage(options=BOTH, size=(120, 36)) as on:
        await open_page(on)
        assert page(on).watched.process.id == BACKUP
        assert reads(on) == [ReadProcess(tgid=1004, start_ns=4)]
        assert "reading…" in on.see(ProcessHead)
        await on.play(facts(10), facts(11, rss=13 * MIB))
        who, command, parents, cgroup, cpu, memory, limits = head(on)
        assert who.split("   ")[:4] == ["x\\x1b[2J[b]y 1004", "sleeping", "root", "70 threads"]
        assert command.split(maxsplit=1) == ["command", "/bin/x\\x1b[2J[b]y --all"]
        assert parents.split(maxsplit=1) == ["parents", "bash 900 ‹ systemd 1"]
        assert cgroup.split() == ["cgroup", "backup.service", "/system.slice/backup.service"]
        assert "50% of a CPU" in cpu
        assert "5.5 s since its start" in cpu
        assert memory.startswith("memory    RSS 13 MiB ")
        assert "swap 0 B" in memory
        assert limits.split(maxsplit=1)[1].split("   ") == [
            *("open files 3 of 4", "processes 96 364", "locked memory 8 MiB", "address space unlimited", "core 0 B"),
        ]
        lists = page(on).lists
        threads = cells(lists.threads)
        assert threads[0][:3] == ["helper", "50%", "running"]
        assert threads[1][:4] == ["x\\x1b[2J[b]y", "25%", "sleeping", "futex_do_wait"]
        assert "and 68 more" in str(lists.threads.border_title)


async def test_an_answer_that_comes_at_once_is_taken(stage: Open) -> None:
    def at_once(request: AnyRequest) -> Iterable[AnyFrame]:
        return [facts(10)] if isinstance(request, ReadProcess) else answers(request)

    async with stage(options=BOTH, answer=at_once) as on:
        await open_page(on)
        assert page(on).watched.facts == facts(10)


async def test_the_probes_say_what_they_counted_in_the_session_s_span(stage: Open) -> None:
    async with stage(options=BOTH, size=(160, 50)) as on:
        await open_page(on)
        said = dict(cells(page(on).lists.said))
        assert said["runqlat"].startswith("11/s · p50 38–42 ms")
        assert said["syscount by process"] == "calls 40/s · time 40 µs/s"
        assert said["syscount by call"] == "not by process"
        assert said["execsnoop"] == "2 events"
        assert "last 1 s" in str(page(on).lists.said.border_title)
        await on.press("t", "t", "t")  # all since attaching
        said = dict(cells(page(on).lists.said))
        assert said["syscount by process"] == "calls 41 · time 41 µs"


async def test_a_list_shows_the_files_and_another_the_sockets(stage: Open) -> None:
    async with stage(options=BOTH, size=(80, 24)) as on:
        await open_page(on)
        await on.play(facts(10))
        assert "Esc back" in on.see(KeyLine), "the way back stays where room is short"
        assert on.one(Tabs).titles == (
            "Running probes",
            "Load for this process",
            "Threads 70",
            "Open files 2",
            "Sockets 1",
        )
        lists = page(on).lists
        assert [frame.display for frame in lists.frames] == [True, False, False, False, False]
        await on.press("tab", "tab", "tab")
        await until(on, lambda: lists.files.has_focus_within)
        assert cells(lists.files) == [["3", "/tmp/x\\x1b[2J[b]y"], ["10", "pipe:[7]"]]
        await on.press("tab")
        await until(on, lambda: lists.sockets.has_focus_within)
        assert cells(lists.sockets) == [["5", "tcp", "127.0.0.1:80", "listening"]]
        await on.press("tab")
        await until(on, lambda: lists.said.has_focus_within)


@pytest.mark.parametrize(("size", "shown"), [((80, 24), 1), ((120, 36), 3), ((200, 60), 5)])
async def test_as_many_lists_are_shown_as_there_is_room_for(stage: Open, size: tuple[int, int], shown: int) -> None:
    async with stage(options=BOTH, size=size) as on:
        await open_page(on)
        await on.play(facts(10))
        frames = [frame for frame in page(on).lists.frames if frame.display]
        assert len(frames) == shown
        assert all(frame.size.height >= 5 for frame in frames)


async def test_after_its_end_the_page_keeps_what_was_known(stage: Open) -> None:
    """Its start is known more finely by then."""
    async with stage(options=BOTH) as on:
        await open_page(on)
        await on.play(facts(10))
        await on.play(processes(process(BACKUP, EVIL, start_ns=5_000_000, ended_ns=11 * S)), gone(23))
        await until(on, lambda: "ended 12 s ago" in head(on)[0])
        assert head(on)[1].split(maxsplit=1) == ["command", "/bin/x\\x1b[2J[b]y --all"]
        assert "as last read" in head(on)[-1]
        before = len(reads(on))
        page(on)._next = 0.0
        await page(on).look()
        assert len(reads(on)) == before
        await on.press("1")
        assert isinstance(on.app.screen, ProcessScreen)  # nothing to trace any more


async def test_one_that_had_ended_before_says_so(stage: Open) -> None:
    async with stage(options=BOTH) as on:
        await open_page(on)
        lists = page(on).lists
        unread = [lists.threads.grid, lists.files.grid, lists.sockets.grid]
        assert {each.empty for each in unread} == {"reading…"}
        await on.play(gone(23))
        assert "ended just now" in head(on)[0]
        assert "ended before it was read" in head(on)[-1]
        assert {each.empty for each in unread} == {"unknown: the process ended before it was read"}


async def test_an_answer_about_another_process_is_not_taken_for_this_one(stage: Open) -> None:
    async with stage(options=BOTH) as on:
        await open_page(on)
        await on.play(facts(10, start_ns=BACKUP + S, comm="other"), facts(10, tgid=77, comm="other"))
        assert page(on).watched.facts is None


async def test_nothing_is_requested_while_the_page_is_covered_or_paused(stage: Open) -> None:
    async with stage(options=BOTH) as on:
        await open_page(on)
        await on.play(facts(10))
        screen = page(on)
        await on.press("question_mark")
        assert isinstance(on.app.screen, HelpScreen)
        before = len(reads(on))
        screen._next = 0.0
        await screen.look()
        assert len(reads(on)) == before
        await on.press("escape", "space")
        before = len(reads(on))
        screen._next = 0.0
        await screen.look()
        assert len(reads(on)) == before
        await on.settle()
        assert PAUSED in head(on)[-1]
        await on.press("space")
        on.source.end("the collector has ended")
        await on.settle()
        before = len(reads(on))
        screen._next = 0.0
        await screen.look()
        assert len(reads(on)) == before
        await on.settle()
        assert ENDED in head(on)[-1]


async def test_nothing_is_painted_anew_that_did_not_change(stage: Open) -> None:
    async with stage(options=BOTH, size=(200, 60)) as on:
        await open_page(on)
        await on.play(facts(10))
        for _ in range(CHART):
            page(on).show(facts(10))
        await on.settle()
        painted: list[object] = []
        for widget in (page(on).head, *(frame.grid for frame in page(on).lists.frames)):
            widget.refresh = lambda *regions, of=widget, **_: painted.append((of, regions)) or of
        page(on).show(facts(10))
        await page(on).look()
        assert painted == []


def offering(*steps: StepInfo) -> Catalog:
    playbook = PlaybookInfo(name="one", title="One", summary="x", steps=list(steps), of_process=True)
    asks = RUNQLAT.__class__(**{**{f: getattr(RUNQLAT, f) for f in RUNQLAT.__struct_fields__}, "id": "cpu/asks"})
    needy = asks.__class__(**{**{f: getattr(asks, f) for f in asks.__struct_fields__}, "asks": True})
    return Catalog(probes=[*PROBES, needy], playbooks=[playbook])


async def test_a_digit_loads_a_probe_for_the_process(stage: Open) -> None:
    """Though it runs already, for all processes."""
    first = offering(StepInfo(probe="cpu/runqlat", question="How long does it wait?", params={"which": "failed"}))
    async with stage(options=BOTH, first=first) as on:
        await open_page(on)
        rows = cells(page(on).lists.more)
        assert rows == [
            ["1", "runqlat", "How long does it wait?"],
            ["2", "asks", "Is the CPU saturated?"],
        ]
        await on.press("1")
        assert isinstance(on.app.screen, Dashboard)
        loads = [each for each in on.source.requests if isinstance(each, Load)]
        assert (loads[-1].probe, loads[-1].params) == ("cpu/runqlat", {"which": "failed", "pid": "1004"})


async def test_a_probe_that_needs_more_is_asked_for_the_rest(stage: Open) -> None:
    async with stage(options=BOTH, first=offering()) as on:
        await open_page(on)
        await on.press("tab")
        await until(on, lambda: page(on).lists.more.has_focus_within)
        await on.press("end", "enter")
        form = on.app.screen
        assert isinstance(form, ParameterForm)
        assert {name: field.value for name, field in form.inputs.items()} == {"pid": "1004", "which": ""}


async def test_a_probe_that_runs_for_the_process_says_so(stage: Open) -> None:
    def granted(request: AnyRequest) -> Iterable[AnyFrame]:
        if isinstance(request, Load) and request.params:
            yield loaded(77, request.probe, *RUNQLAT.views, params=request.params)
        else:
            yield from answers(request)

    async with stage(options=BOTH, answer=granted, first=offering()) as on:
        await open_page(on)
        await on.press("1")
        await on.app.dashboard.bring(RUN["cpu/syscount"], focus=True)
        await on.press("P")
        assert cells(page(on).lists.more)[0] == ["1", "●", "runqlat", "Is the CPU saturated?"]


async def test_enter_on_what_a_probe_says_shows_the_process_there(stage: Open) -> None:
    async with stage(options=BOTH) as on:
        await open_page(on)
        assert cells(page(on).lists.said)[0][0] == "syscount by process"
        await on.press("down", "enter")
        assert isinstance(on.app.screen, Dashboard)
        assert on.app.dashboard.current == RUN["cpu/syscount"]


async def test_an_event_and_a_finding_open_it_too_and_what_is_about_no_process_says_so(stage: Open) -> None:
    async with stage(options=BOTH) as on:
        await begin(on)
        await on.app.dashboard.bring(RUN["cpu/execsnoop"], focus=True)
        await on.settle()
        await on.press("P")
        assert page(on).watched.process.id == BACKUP
        await on.press("P")
        assert isinstance(on.app.screen, Dashboard)
        await on.app.dashboard.bring(RUN["cpu/runqlat"], focus=True)
        await on.settle()
        await on.press("P")
        assert page(on).watched.process.id == BACKUP
        await on.press("escape")
        await on.app.dashboard.bring(RUN["cpu/syscount"], focus=True)
        await on.press("n", "down", "P")
        assert isinstance(on.app.screen, Dashboard)


async def test_all_facts_are_shown_uncut(stage: Open) -> None:
    async with stage(options=BOTH) as on:
        await open_page(on)
        await on.play(facts(10, command="y" * 4096, unread=["open files: Permission denied"]))
        await on.press("i")
        assert isinstance(on.app.screen, RowScreen)
        known = dict(on.app.screen.fields)
        assert known["command line"] == "y" * 4096
        assert known["limit: open files"] == "4, up to 8"
        assert known["unit"] == "backup.service"
        assert known["note"] == "not read: open files: Permission denied"


async def test_a_tape_knows_who_it_was_and_what_the_probes_said(stage: Open) -> None:
    async with stage(
        *(loaded(RUN[each.id], each.id, *each.views) for each in (EXECSNOOP, RUNQLAT, SYSCOUNT)), live=False
    ) as on:
        await open_page(on)
        assert not on.source.requests
        assert head(on)[0].split("   ")[0] == "x\\x1b[2J[b]y 1004"
        assert ON_TAPE in head(on)[-1]
        assert head(on)[2].split(maxsplit=1) == ["parents", "init 1"]
        assert page(on).lists.frames == [page(on).lists.said]
        assert "calls 40/s" in seen(page(on).lists.said.grid)
        await on.press("1", "tab")
        assert isinstance(on.app.screen, ProcessScreen)


async def test_a_filter_takes_the_digits_that_are_typed(stage: Open) -> None:
    async with stage(options=BOTH) as on:
        await open_page(on)
        await on.press("f", "1")
        assert isinstance(on.app.screen, ProcessScreen)
        assert isinstance(on.app.screen.focused, Input)
        assert on.app.screen.focused.value == "1"


async def test_a_page_opens_from_what_stands_out(stage: Open) -> None:
    from ebpftop.model.standouts import Finding

    async with stage(options=BOTH) as on:
        await begin(on)
        column = RUNQLAT.views[0].columns[0]
        finding = Finding(2, "cpu/runqlat", RUNQLAT.views[0], column, "", BACKUP, 0.9, 0.1, 0.5, 5)
        by_name = Finding(2, "cpu/runqlat", RUNQLAT.views[0], column, "comm", EVIL, 0.9, 0.1, 0.4, 5)
        screen = StandoutScreen("here", on.app.feed.session.processes, lambda: ([finding, by_name], [], 0.5))
        on.app.push_screen(screen)
        await on.settle()
        await on.press("down", "down", "P")
        assert on.app.screen is screen  # a name is no process
        await on.press("up", "P")
        assert page(on).watched.process.id == BACKUP
        await on.press("enter")
        assert isinstance(on.app.screen, Dashboard)
        assert on.one(TableGrid)
