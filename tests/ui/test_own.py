"""ebpftop's own processes: left out of rankings, which say so, and marked where they are shown."""

from __future__ import annotations

import pytest

from ebpftop.ui.app.options import Options
from ebpftop.ui.widgets.events import EventList
from ebpftop.ui.widgets.grid import Grid
from ebpftop.ui.widgets.panel import Framed
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support.frames import process, processes
from tests.ui.conftest import Open, Stage
from tests.ui.probes import calls, execs, latencies

LATENCY = Options(auto_load=[("cpu/runqlat", {})])
CALLS = Options(auto_load=[("cpu/syscount", {})])
EXECS = Options(auto_load=[("cpu/execsnoop", {})])
PEOPLE = processes(
    process(1, "postgres"), process(2, "node"), process(7, "collect", own=True), process(8, "screen", own=True)
)


def names(table: Grid) -> list[str]:
    """The process column of every row listed."""
    column = next(column for column in table.columns if column.name == "tgid.comm")
    return [table.cell(row, column) for row in range(table.count)]


def titles(on: Stage) -> list[str]:
    return [str(frame.border_title) for frame in on.app.screen.query(Framed)]


async def test_a_ranking_leaves_them_out_and_its_title_says_how_much_that_is(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        first = calls(1, {1: 10, 2: 10, 7: 500, 8: 50})
        await on.play(PEOPLE, first, calls(2, {1: 15, 2: 19, 7: 561, 8: 58}))
        table = on.one(TableGrid)
        assert names(table) == ["node", "postgres"]
        assert "System calls by process · last 1 s · without ebpftop's own 69/s (M) · 2 rows" in titles(on)
        assert table.share(0) == 1.0  # of what is listed
        await on.press("t", "t", "t")
        assert "System calls by process · since start · without ebpftop's own 619 (M) · 2 rows" in titles(on)


async def test_m_shows_them_marked_and_again_leaves_them_out(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 10, 7: 500}), calls(2, {1: 15, 7: 569}))
        table = on.one(TableGrid)
        await on.press("M")
        assert names(table) == ["collect (own)", "postgres"]
        assert "System calls by process · last 1 s · 2 rows" in titles(on)
        await on.press("tab", "down")
        assert "ebpftop's own" in table.about
        await on.press("M")
        assert names(table) == ["postgres"]
        assert table.cursor is None  # it was on a row that is gone


async def test_where_sums_mean_nothing_the_title_counts_rows(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 10, 7: 500, 8: 3}), calls(2, {1: 15, 7: 569, 8: 4}))
        on.one(TableGrid).sort_by("tgid.comm")
        await on.settle()
        assert on.one(TableFrame).left_out == "without ebpftop's own 2 rows (M)"
        on.one(TableGrid).sort_by("count/s")
        await on.play(calls(3, {1: 16, 7: 569, 8: 4}))
        assert on.one(TableFrame).left_out == "without ebpftop's own 2 rows (M)"  # idle


async def test_the_filter_finds_only_what_is_listed(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 5, 2: 7, 7: 9}))
        await on.press("tab", "f", *"o")
        assert names(on.one(TableGrid)) == ["postgres", "node"]  # no rates yet
        assert any("2 of 2 rows match “o”" in title for title in titles(on))


async def test_a_table_of_other_things_leaves_nothing_out(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {7: 5}, {"read": 5}), calls(2, {7: 9}, {"read": 9}))
        await on.press("n")
        assert "System calls by name · last 1 s · 1 row" in titles(on)


async def test_a_histogram_counts_everybody_and_its_table_leaves_them_out(stage: Open) -> None:
    async with stage(options=LATENCY) as on:
        await on.play(PEOPLE, latencies(1, {1: {5_000: 1}, 7: {900_000: 2}}))
        await on.play(latencies(2, {1: {5_000: 11}, 7: {900_000: 71}}))
        await on.press("t", "t", "t")
        table = on.one(TableGrid)
        assert names(table) == ["postgres"]
        table.sort_by("count")
        await on.settle()
        assert "by process · since start · without ebpftop's own 71 (M) · 1 row" in titles(on)
        assert "Run queue latency · all · since start" in titles(on)
        await on.press("M")
        assert sorted(names(table)) == ["collect (own)", "postgres"]


@pytest.mark.parametrize(("params", "listed"), [({"pid": "1007"}, ["collect (own)"]), ({"which": "failed"}, [])])
async def test_a_run_of_one_process_shows_it_even_if_it_is_ebpftop(
    stage: Open, params: dict[str, str], listed: list[str]
) -> None:
    async with stage(options=Options(auto_load=[("cpu/runqlat", params)])) as on:
        await on.play(PEOPLE, latencies(1, {7: {5_000: 1}}), latencies(2, {7: {5_000: 8}}))
        assert names(on.one(TableGrid)) == listed


async def test_events_of_theirs_stay_and_are_marked(stage: Open) -> None:
    async with stage(options=EXECS) as on:
        await on.play(PEOPLE, execs([(1, "/bin/a"), (7, "/bin/b")]))
        assert names(on.one(EventList)) == ["postgres", "collect (own)"]
        await on.press("tab", "M")
        assert names(on.one(EventList)) == ["postgres", "collect (own)"]
