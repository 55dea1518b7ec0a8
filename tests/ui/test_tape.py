"""The dashboard on a tape: it plays, pauses, and seeks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from textual.widgets import Static

from ebpftop.frames.messages import AnyFrame
from ebpftop.frames.tape import TapeWriter
from ebpftop.frames.tape_source import TapeSource
from ebpftop.model.past.span import Span
from ebpftop.ui.app.app import EbpftopApp
from ebpftop.ui.widgets.header import HeaderLine
from ebpftop.ui.widgets.runs import RunTabs
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support.frames import SECOND, catalog, hello, loaded, process, processes
from tests.ui.conftest import Stage, seen
from tests.ui.probes import BY_CALL, BY_PROCESS, PROBES, RUN, calls
from tests.ui.test_time import at
from tests.ui.test_views import names

LENGTH = 20
STORY: list[AnyFrame] = [
    hello(),
    catalog(*PROBES),
    processes(process(1, "postgres"), process(2, "node")),
    loaded(RUN["cpu/syscount"], "cpu/syscount", BY_PROCESS, BY_CALL),
    *(calls(seq, {1: 10 * seq, 2: min(seq, 5) if seq < 10 else 1_000 * seq}) for seq in range(4, LENGTH + 1)),
]


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A frame a second; from the 10th second on node calls most."""
    path = tmp_path / "a.tape"
    ticks = count(0, SECOND)
    with TapeWriter(path, clock=lambda: next(ticks)) as writer:
        for frame in STORY:
            writer.write(frame)
    return path


async def until(on: Stage, done: Callable[[], bool]) -> None:
    """Wait for what a thread or the clock brings, for a minute."""
    async with asyncio.timeout(60):
        while not done():
            await on.pilot.pause(0.02)
    await on.settle()


async def test_a_process_that_a_tape_names_later_is_known_once_that_was_read(tape: Path) -> None:
    late = tape.with_name("late.tape")
    ticks = count(0, SECOND)
    with TapeWriter(late, clock=lambda: next(ticks)) as writer:
        for frame in (*STORY, processes(process(3, "late"))):
            writer.write(frame)
    app = EbpftopApp(source := TapeSource(late, paused=True))
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        source.seek(6.0)
        await until(on, lambda: 3 in app.feed.session.processes)
        assert app.feed.session.processes[3].comm == "late"
        assert source.position == 6.0


async def test_a_tape_says_so_and_stands_still_on_space(tape: Path) -> None:
    app = EbpftopApp(TapeSource(tape))
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        await until(on, lambda: app.feed.session.catalog is not None)
        assert "▶ tape 0:" in on.see(HeaderLine)
        assert "/ 0:20" in on.see(HeaderLine)
        await on.press("space")
        assert app.feed.playback.paused
        assert "‖ tape 0:0" in on.see(HeaderLine)


async def test_after_a_jump_the_table_keeps_its_order_and_cursor(tape: Path) -> None:
    app = EbpftopApp(source := TapeSource(tape, paused=True))
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        source.seek(6.0)
        await until(on, lambda: bool(app.screen.query(TableGrid)) and on.one(TableGrid).count == 2)
        assert "‖ tape 0:06" in on.see(HeaderLine)
        table = on.one(TableGrid)
        assert names(table) == ["postgres", "node"]
        await on.press("tab", "down")
        table.sort_by("tgid.comm")
        assert names(table) == ["node", "postgres"]
        source.seek(15.0)
        await until(on, lambda: table.cell(0, table.columns[2]) == "1 k/s")
        assert on.one(TableGrid) is table
        assert (names(table), table.cursor) == (["node", "postgres"], 1)
        source.seek(6.0)
        await until(on, lambda: table.cell(0, table.columns[2]) == "0/s")
        assert "‖ tape 0:06" in seen(on.one(HeaderLine))


async def test_a_tape_opens_on_its_first_run(tape: Path) -> None:
    path = tape.with_name("two.tape")
    ticks = count(0, 1)
    with TapeWriter(path, clock=lambda: next(ticks)) as writer:
        for frame in (hello(), catalog(*PROBES), loaded(7, "cpu/runqlat"), loaded(8, "cpu/syscount")):
            writer.write(frame)
    app = EbpftopApp(TapeSource(path))
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        await until(on, lambda: app.feed.ended is not None)
        assert on.one(RunTabs).current == 7
        await on.press("right_square_bracket")
        assert on.one(RunTabs).current == 8


async def test_at_its_end_a_tape_says_so_and_space_begins_anew(tape: Path) -> None:
    app = EbpftopApp(source := TapeSource(tape))
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        source.seek(20.0)
        await until(on, lambda: "tape 0:20 / 0:20 · ended" in on.see(HeaderLine))
        await on.press("space")
        await until(on, lambda: "▶ tape 0:0" in on.see(HeaderLine))
        assert app.feed.ended is None


async def test_arrows_belong_to_what_has_the_focus(tape: Path) -> None:
    app = EbpftopApp(source := TapeSource(tape, paused=True))
    async with app.run_test(size=(60, 20)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        source.seek(10.0)
        await until(on, lambda: bool(app.screen.query(TableGrid)) and on.one(TableGrid).count == 2)
        await on.press("tab")
        assert on.one(TableGrid).has_focus
        before = [each.name for each in on.one(TableGrid).shown_columns]
        await on.press("right", "right")
        assert [each.name for each in on.one(TableGrid).shown_columns] != before
        await on.press("left", "left")
        assert [each.name for each in on.one(TableGrid).shown_columns] == before
        assert source.position == 10.0


async def at_eight_seconds(on: Stage) -> int:
    """Go there on a tape, and wait until all of it is known. The monotonic ns of what was played last."""
    session = on.app.feed.session
    on.source.seek(8.0)
    await until(on, lambda: bool(on.app.screen.query(TableGrid)) and on.one(TableGrid).count == 2)
    await until(on, lambda: session.reach.end > session.newest.monotonic_ns + 11 * SECOND)
    return session.newest.monotonic_ns


async def test_at_goes_to_a_time_of_day_that_is_yet_to_come(tape: Path) -> None:
    app = EbpftopApp(TapeSource(tape, paused=True))
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        played = await at_eight_seconds(on)
        await on.press("at", *at(15), "enter")
        assert app.feed.when.wanted == Span(played + 6 * SECOND, played + 7 * SECOND)
        assert app.feed.session.newest.monotonic_ns == played


async def test_at_takes_a_position_on_a_tape_and_says_so(tape: Path) -> None:
    app = EbpftopApp(TapeSource(tape, paused=True))
    async with app.run_test(size=(80, 24)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        played = await at_eight_seconds(on)
        await on.press("at")
        assert "0:45   1:02:03   from the tape's start" in str(on.app.screen.query(Static).last().render())
        await on.press(*"0:15", "enter")
        assert app.feed.when.wanted == Span(played + 6 * SECOND, played + 7 * SECOND)
        assert "tape 0:08 / 0:20" in on.see(HeaderLine)


@pytest.mark.parametrize("text", ["3:45", "0:22", "-1m", "-999999999h"])
async def test_a_time_that_is_not_on_the_tape_is_told(tape: Path, text: str) -> None:
    app = EbpftopApp(source := TapeSource(tape, paused=True))
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        await at_eight_seconds(on)
        before = source.position
        await on.press("at", *text, "enter")
        assert on.told()[-1].startswith("the tape lasts 0:20, from ")
        assert source.position == before
        assert not app.feed.when.still
        await on.press("at", *"0:20", "enter")  # a length is told without fractions
        assert len(on.told()) == 1


async def test_space_plays_a_tape_from_a_span_that_is_yet_to_come_else_from_where_it_was(tape: Path) -> None:
    app = EbpftopApp(source := TapeSource(tape, speed=0.001))
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        played = await at_eight_seconds(on)
        await on.press(*["right_parenthesis"] * 9)
        assert app.feed.when.wanted == Span(played + 8 * SECOND, played + 9 * SECOND)
        assert app.feed.session.newest.monotonic_ns == played
        await on.press("space")
        await until(on, lambda: app.feed.session.newest.monotonic_ns == played + 9 * SECOND)
        assert not app.feed.when.still
        await on.press("left_parenthesis", "left_parenthesis", "space")
        assert not app.feed.when.still
        assert 17.0 <= source.position < 18.0


async def test_plus_and_minus_change_the_speed(tape: Path) -> None:
    app = EbpftopApp(TapeSource(tape))
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        await on.press("plus", "plus")
        assert app.feed.playback.speed == 4.0
        assert "×4" in on.see(HeaderLine)
        await on.press("minus")
        assert app.feed.playback.speed == 2.0
