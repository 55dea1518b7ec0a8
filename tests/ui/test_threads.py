"""Where all threads are: what waits for one thing is one line, what may be stuck is on top, Enter shows it whole."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from msgspec import structs

from ebpftop.base.syscalls import NUMBERS
from ebpftop.frames.messages import (
    Catalog,
    OpenWait,
    PlaybookInfo,
    ReadProcess,
    ReadThreads,
    StepInfo,
    ThreadPlace,
    Threads,
)
from ebpftop.frames.tape import TapeWriter
from ebpftop.frames.tape_source import TapeSource
from ebpftop.ui.app.app import EbpftopApp
from ebpftop.ui.messages import PlayAsked
from ebpftop.ui.screens.process import ProcessScreen
from ebpftop.ui.screens.row import RowScreen
from ebpftop.ui.screens.threads import ThreadsScreen
from ebpftop.ui.screens.tiles import Tiles
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid
from ebpftop.ui.widgets.thread_rows import shortened
from tests.support.frames import SECOND
from tests.ui.conftest import Open, Stage
from tests.ui.probes import PROBES
from tests.ui.test_tape import STORY, until

S = 1_000_000_000
STEP = StepInfo(probe="cpu/syscount", question="Calling?")
EVIL = "x\x1b[2J[b]y"
STACKS = [["pipe_read", "vfs_read"], ["request_wait_answer", "fuse_file_read_iter [fuse]"]]


def read(second: int, count: int = 50) -> Threads:
    """So many threads read one pipe, one waits for a file system, one sleeps."""

    def thread(tid: int, state: str, call: str, target: str, stack: int | None = None) -> ThreadPlace:
        return ThreadPlace(
            tid=tid,
            tgid=7,
            start_ns=tid,
            comm=EVIL,
            process=EVIL,
            state=state,
            cpu_ns=0,
            switches=3,
            stack=stack,
            call=NUMBERS[call],
            arguments=[3, 1 << 40, 4096, 0, 0, 0],
            target=target,
            waits=STACKS[stack][0] if stack is not None else "",
        )

    threads = [thread(tid, "S", "read", "pipe:[42]", 0) for tid in range(1, count + 1)]
    threads += [thread(900, "D", "pread64", f"/mnt/{EVIL}", 1), thread(901, "S", "ppoll", "")]
    return Threads(
        monotonic_ns=second * S, boottime_ns=second * S, threads=threads, stacks=STACKS, count=len(threads) + 5
    )


def requests(on: Stage) -> int:
    return sum(isinstance(each, ReadThreads) for each in on.source.requests)


def title(on: Stage) -> str:
    return str(on.one(TableFrame).border_title)


def cells(on: Stage) -> list[list[str]]:
    lines = [line.split("  ") for line in on.see(TableGrid).splitlines() if line.strip()]
    return [[cell.strip() for cell in row if cell.strip()] for row in lines]


async def test_fifty_threads_that_wait_for_one_pipe_are_one_line(stage: Open) -> None:
    async with stage(size=(200, 40)) as on:
        assert requests(on) == 0
        await on.press("W")
        assert requests(on) == 1
        await on.play(read(10), read(12))
        assert "52 of 57 threads" in title(on)
        head, stuck, pipe, idle = cells(on)
        assert head == ["threads", "state▼", "call", "waits for", "in the kernel", "for", "whose"]
        whose = "x\\x1b[2J[b]y (7)"
        assert stuck == ["1", "uninterruptible", "pread64", "/mnt/x\\x1b[2J[b]y", "request_wait_answer", "≥ 2 s", whose]
        assert pipe == ["50", "sleeping", "read", "pipe:[42]", "pipe_read", "≥ 2 s", whose]
        assert idle == ["1", "sleeping", "ppoll", "≥ 2 s", whose]


async def test_on_a_small_screen_what_it_is_about_stays(stage: Open) -> None:
    async with stage(size=(80, 24)) as on:
        await on.press("W")
        await on.play(read(10), read(12))
        head, stuck, pipe, _ = cells(on)
        assert head[:4] == ["threads", "state▼", "call", "waits for"]
        assert pipe[:4] == ["50", "sleeping", "read", "pipe:[42]"]
        assert stuck[1] == "uninterruptible"


def test_a_name_that_is_cut_keeps_its_number() -> None:
    assert shortened("qemu-system-x86 (9720)", 22) == "qemu-system-x86 (9720)"
    assert shortened("qemu-system-x86 (9720)", 14) == "qemu-s… (9720)"
    assert shortened("3 processes of worker", 10) == "3 processes of worker"


async def test_enter_shows_system_call_stack_and_threads(stage: Open) -> None:
    async with stage(size=(200, 40)) as on:
        await on.press("W")
        await on.play(read(10), read(12))
        await on.press("down", "down", "enter")
        await until(on, lambda: isinstance(on.app.screen, RowScreen))
        assert isinstance(on.app.screen, RowScreen)
        fields = on.app.screen.fields
        assert fields[:7] == [
            ("threads", f"50 of {EVIL} (7)"),
            ("state", "sleeping"),
            ("waits for", "pipe:[42]"),
            ("system call", "read(fd=3, buf=0x10000000000, count=4096)"),
            ("kernel stack", "pipe_read"),
            ("", "vfs_read"),
            ("thread", f"1 {EVIL}  of {EVIL} (7)  for ≥ 2 s"),
        ]
        assert len(fields) == 6 + 50


async def test_a_playbook_chosen_above_it_closes_it_and_is_drawn(stage: Open) -> None:
    hangs = PlaybookInfo(name="hangs", title="Hangs", summary="", opens="threads", steps=[STEP])
    calm = PlaybookInfo(name="calm", title="Calm", summary="", steps=[STEP])
    async with stage(first=Catalog(probes=list(PROBES), playbooks=[hangs, calm])) as on:
        on.app.post_message(PlayAsked("hangs"))
        await on.settle()
        assert not isinstance(on.app.screen, Tiles)
        on.app.post_message(PlayAsked("calm"))
        await on.settle()
        assert on.app.screen_stack[-2:] == [on.app.dashboard, on.app.front]
        assert on.app.screen is on.app.front


async def test_the_cursor_stays_on_its_place_while_others_come_and_go(stage: Open) -> None:
    async with stage(size=(200, 40)) as on:
        await on.press("W")
        await on.play(read(10))
        await on.press("down", "down")
        grid = on.one(TableGrid)
        before = grid.pointed()
        await on.play(read(11, count=60))
        assert grid.pointed() == before
        assert cells(on)[2][:1] == ["60"]


async def test_nothing_is_read_while_it_is_out_of_sight_or_paused(stage: Open) -> None:
    async with stage() as on:
        await on.press("W")
        screen = on.app.screen
        assert isinstance(screen, ThreadsScreen)
        await on.press("question_mark")
        before = requests(on)
        screen._next = 0.0
        await screen.look()
        assert requests(on) == before
        await on.press("escape", "space")
        before = requests(on)
        screen._next = 0.0
        await screen.look()
        assert requests(on) == before
        assert "paused" in title(on)
        await on.press("space")
        await on.pilot.resize_terminal(20, 5)
        await on.settle()
        before = requests(on)
        screen._next = 0.0
        await screen.look()
        assert requests(on) == before
        await on.pilot.resize_terminal(120, 36)
        await on.settle()
        await on.press("W")
        await until(on, lambda: not screen.is_running)
        await on.play(read(10))  # an answer that comes too late


async def test_an_error_takes_the_place_of_the_count(stage: Open) -> None:
    async with stage() as on:
        await on.press("W")
        await on.play(Threads(monotonic_ns=0, boottime_ns=0, error="threads can't be listed: EPERM"))
        assert "can't be listed: EPERM" in title(on)


async def test_a_tape_says_that_it_holds_none(stage: Open) -> None:
    async with stage(live=False) as on:
        await on.press("W")
        assert not isinstance(on.app.screen, ThreadsScreen)
        assert on.told() == ["no threads on the tape up to here: it has them only where somebody viewed them"]
        assert requests(on) == 0


async def test_a_row_opens_the_page_of_its_process(stage: Open) -> None:
    async with stage(size=(120, 40)) as on:
        await on.press("W")
        await on.play(read(10, 6), read(12, 6))
        await on.press("P")
        assert isinstance(on.app.screen, ThreadsScreen)  # the start of its process isn't known
        main = ThreadPlace(
            tid=7, tgid=7, start_ns=70 * S, comm=EVIL, process=EVIL, state="D", cpu_ns=0, target=f"/mnt/{EVIL}"
        )
        known = read(13, 6)
        await on.play(structs.replace(known, threads=[main, *known.threads]))
        await on.press("home", "P")
        page = on.app.screen
        assert isinstance(page, ProcessScreen)
        assert (page.watched.process.tgid, page.watched.process.start_ns) == (7, 70 * S)
        assert ReadProcess(tgid=7, start_ns=70 * S) in on.source.requests
        await on.press("P")
        assert isinstance(on.app.screen, ThreadsScreen)


async def test_a_tape_tells_where_threads_were_when_somebody_looked(tmp_path: Path) -> None:
    """At a moment the last reading before it, with the time at which it was made."""
    path = tmp_path / "looked.tape"
    ticks = count(0, SECOND)
    with TapeWriter(path, clock=lambda: next(ticks)) as writer:
        for at, frame in enumerate(STORY):
            if at == 10:
                writer.write(read(10, 13))
            writer.write(frame)
    app = EbpftopApp(source := TapeSource(path, paused=True))
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        await on.press("W")
        assert not isinstance(app.screen, ThreadsScreen)
        source.seek(15.0)
        await until(on, lambda: app.feed.session.threads is not None)
        await on.press("W")
        await until(on, lambda: "as read at" in title(on))
        _, stuck, pipe, *_ = cells(on)
        assert (stuck[0], pipe[:3]) == ("1", ["13", "sleeping", "read"])
        assert "15 of 20 threads" in title(on)
        assert app.feed.source.live is False
        await on.press("escape")
        source.seek(5.0)
        await until(on, lambda: app.feed.session.threads is None)


async def test_an_old_reading_says_how_old_it_is(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("ebpftop.ui.screens.threads.monotonic", lambda: now[0])
    async with stage(size=(120, 30)) as on:
        await on.press("W")
        await on.play(read(10), read(12))
        assert "ago" not in title(on)
        now[0] += 7.2
        await until(on, lambda: "57 threads, 7 s ago" in title(on))
        await on.play(read(20))
        await until(on, lambda: "ago" not in title(on))


async def test_a_reading_that_had_to_wait_for_others_is_soon_followed_by_the_next(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("ebpftop.ui.screens.reading.monotonic", lambda: now[0])
    async with stage(size=(120, 30)) as on:
        await on.press("W")
        now[0] += 31
        await on.play(structs.replace(read(10), took_ns=S // 10))
        now[0] += 1.9
        assert requests(on) == 1
        now[0] += 0.2
        await until(on, lambda: requests(on) == 2)


async def test_who_woke_most_of_them_last_stands_beside_what_they_wait_for(stage: Open) -> None:
    waits = [OpenWait(tid=tid, since_ns=9 * S, waker=901, woken_ns=8 * S) for tid in range(1, 27)]
    async with stage(size=(200, 40)) as on:
        await on.press("W")
        await on.play(structs.replace(read(10), waits=waits[:25]))
        assert cells(on)[2][3] == "pipe:[42]"
        await on.play(structs.replace(read(11), waits=waits))
        assert cells(on)[2][3] == "pipe:[42], last woken by x\\x1b[2J[b]y 901"
        await on.press("down", "down", "enter")
        await until(on, lambda: isinstance(on.app.screen, RowScreen))
        assert isinstance(on.app.screen, RowScreen)
        fields = on.app.screen.fields
        assert ("last woken by", f"{EVIL} 901 of {EVIL} (7): 26 threads") in fields
        assert ("thread", f"1 {EVIL}  of {EVIL} (7)  for 2 s  last woken by {EVIL} 901") in fields
