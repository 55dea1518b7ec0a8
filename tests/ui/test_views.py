"""Tabs, histograms, tables and events of running probes."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs
from textual.widgets import Static

from ebpftop.catalog import folders
from ebpftop.frames.messages import ColumnInfo, Detach, Detached, Detaching, Events, Interval, Loading, ViewInfo
from ebpftop.ui.app.options import Options
from ebpftop.ui.screens.row import RowScreen
from ebpftop.ui.widgets.about import About
from ebpftop.ui.widgets.catalog import CatalogPanel
from ebpftop.ui.widgets.events import EventList
from ebpftop.ui.widgets.grid import Grid
from ebpftop.ui.widgets.header import HeaderLine
from ebpftop.ui.widgets.heatmap import HeatmapPlot
from ebpftop.ui.widgets.histogram import HistogramBars
from ebpftop.ui.widgets.panel import FilterInput, Framed
from ebpftop.ui.widgets.runs import RunTabs
from ebpftop.ui.widgets.status import StatusLine
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support import frames
from tests.support.frames import columns, cost, events, loaded, process, processes, snapshot
from tests.ui.conftest import Open, seen
from tests.ui.probes import RUN, calls, execs, latencies

LATENCY = Options(auto_load=[("cpu/runqlat", {})])
CALLS = Options(auto_load=[("cpu/syscount", {})])
EXECS = Options(auto_load=[("cpu/execsnoop", {})])
PEOPLE = processes(process(1, "postgres"), process(2, "node"), process(3, "make", ended_ns=7))


def names(table: TableGrid) -> list[str]:
    """The second column of every row shown: process names."""
    return [table.cell(row, table.columns[1]) for row in range(table.count)]


async def test_a_histogram_shows_counts_of_the_last_interval(stage: Open) -> None:
    async with stage(options=LATENCY) as on:
        await on.play(latencies(1, {1: {5_000: 100}}), latencies(2, {1: {5_000: 130, 900_000: 3}}))
        lines = on.see(HistogramBars).split("\n")
        assert sum(" 30  █" in line for line in lines) == 1
        assert sum(" 3  █" in line for line in lines) == 1
        await on.press("t", "t", "t")
        assert sum(" 130  █" in line for line in on.see(HistogramBars).split("\n")) == 1


async def test_percentiles_are_bounds_of_buckets(stage: Open) -> None:
    async with stage(options=LATENCY) as on:
        await on.play(latencies(1, {1: {5_000: 99, 900_000: 1}}))
        shown = on.see(HistogramBars)
    assert "p50       4.6–5.1 µs" in shown
    assert "max       852–918 µs" in shown


async def test_enter_on_a_row_shows_its_histogram_alone_and_again_lets_go(stage: Open) -> None:
    async with stage(options=LATENCY) as on:
        await on.play(PEOPLE, latencies(1, {1: {5_000: 1}, 2: {5_000: 1}}))
        await on.play(latencies(2, {1: {5_000: 11}, 2: {5_000: 701}}))
        await on.press("tab", "down", "enter")
        titles = [str(frame.border_title) for frame in on.app.screen.query(Framed)]
        assert "Run queue latency · only node 1002 · last 1 s" in titles
        assert " 700  █" in on.see(HistogramBars)
        await on.press("escape")
        assert " 710  █" in on.see(HistogramBars)


async def test_a_table_sorts_by_rate_first_and_by_any_column(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 500, 2: 10, 3: 90}), calls(2, {1: 505, 2: 60, 3: 91}))
        table = on.one(TableGrid)
        assert names(table) == ["node", "postgres", "make (ended)"]
        table.sort_by("count")
        assert names(table) == ["postgres", "make (ended)", "node"]
        table.sort_by("count")
        assert names(table) == ["node", "make (ended)", "postgres"]
        table.sort_by("tgid.comm")
        assert names(table) == ["make (ended)", "node", "postgres"]


async def test_keys_and_clicks_sort(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 5, 2: 7}))
        table = on.one(TableGrid)
        await on.press("tab")
        assert table.sort == "count/s"
        await on.press("greater_than_sign")
        assert table.sort == "total_ns/s"
        await on.press("less_than_sign")
        assert table.sort == "count/s"
        await on.press("S")
        assert not table.descending
        await on.pilot.click(table, offset=(10, 0))
        await on.settle()
        assert table.sort == "tgid.comm"
        assert "process▲" in table.render_line(0).text


async def test_the_filter_narrows_as_one_types(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 5, 2: 7, 3: 9}))
        table = on.one(TableGrid)
        await on.press("tab", "f", *"POST")
        assert names(table) == ["postgres"]
        await on.press("enter", "escape")
        assert table.count == 3
        assert not on.one(FilterInput).has_class("-open")


async def test_the_cursor_stays_on_its_key_across_refreshes(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 30, 2: 20, 3: 10}), calls(2, {1: 60, 2: 40, 3: 20}))
        table = on.one(TableGrid)
        await on.press("tab", "down", "down")
        assert names(table)[table.cursor] == "node"
        await on.play(calls(3, {1: 61, 2: 140, 3: 22}))
        assert table.cursor == 0
        assert names(table)[0] == "node"
        await on.play(calls(4, {1: 161, 2: 141, 3: 72}))
        assert names(table)[table.cursor] == "node"
        assert table.cursor == 2


async def test_ended_processes_stay_and_are_marked(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 30, 3: 10}), calls(2, {1: 31}))
        table = on.one(TableGrid)
        row = names(table).index("make (ended)")
        assert table.row_look(row) == "grid--quiet"
        assert table.row_look(names(table).index("postgres")) == ""


async def test_fifty_thousand_rows_scroll_sort_and_filter(stage: Open) -> None:
    everybody = {number: number * 7 for number in range(1, 50_001)}
    async with stage(options=CALLS) as on:
        await on.play(processes(*(process(number, f"p{number}") for number in everybody)))
        await on.play(
            calls(1, everybody), calls(2, {number: count + number % 997 for number, count in everybody.items()})
        )
        table = on.one(TableGrid)
        assert table.count == 50_000
        await on.press("tab", "end")
        assert table.cursor == 49_999
        assert names_on_screen(table)[-1] == names_at(table, 49_999)
        await on.press("f", *"p4999")
        assert table.count == 11


def names_on_screen(table: TableGrid) -> list[str]:
    return [names_at(table, row) for row in table.visible_rows]


def names_at(table: TableGrid, row: int) -> str:
    return table.cell(row, table.columns[1])


async def test_hostile_names_are_inert(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(processes(process(1, "\x1b[31mred\x07"), process(2, "[bold]x[/bold]"), process(3, "a\u202eb")))
        await on.play(calls(1, {1: 3, 2: 2, 3: 1}))
        shown = on.see(TableGrid)
        await on.press("tab", "down")
        about = str(on.app.dashboard.panel.grid_frame.border_subtitle)
    assert "\\x1b[31mred\\x07" in shown
    assert "[bold]x[/bold]" in shown
    assert "a\\u202eb" in shown
    assert not any(c in shown + about for c in "\x1b\x07\u202e")


async def test_columns_drop_from_the_right_when_it_is_narrow(stage: Open) -> None:
    async with stage(options=CALLS, size=(300, 40)) as on:
        await on.play(PEOPLE, calls(1, {1: 30}))
        assert "bar" in names_of_columns(on.one(TableGrid))
        await on.pilot.resize_terminal(260, 40)
        await on.settle()
        assert "bar" not in names_of_columns(on.one(TableGrid))
        assert header(on.one(TableGrid))[-2:] == ["parent", "command"]  # and no mark: a bar isn't missed
        await on.pilot.resize_terminal(64, 20)
        await on.press("tab")
        shown = [column.name for column in on.one(TableGrid).shown_columns]
    assert shown[:3] == ["tgid.pid", "tgid.comm", "count/s"]
    assert "count" not in shown


async def test_losses_stand_beside_the_numbers(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(calls(1, {1: 30}))
        assert "▲" not in on.see(StatusLine)
        assert on.one(RunTabs).tabs[0].sign == "●"
        await on.play(calls(2, {1: 31}, lost=1_234, map_full=7))
        assert "▲ 1 234 events lost" in on.see(StatusLine)
        assert "7 updates failed" in on.see(StatusLine)
        assert on.one(RunTabs).tabs[0].sign == "▲"
        assert "▲ lost 1 234" in on.see(HeaderLine)


async def test_the_status_tells_meaning_attachments_and_cost(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        number = RUN["cpu/syscount"]
        await on.play(cost(number, 1, 1_000, 200_000), cost(number, 2, 3_000, 5_600_000))
        shown = on.see(StatusLine)
        assert "What syscount does." in shown
        assert "exact  variant raw  raw tracepoint sched_switch" in shown
        assert "1.87 µs/event" in shown
        assert "0.5% probes" in on.see(HeaderLine)


async def test_loading_shows_its_stages(stage: Open) -> None:
    async with stage() as on:
        stages = [("types", 12.4), ("compile", 130.0)]
        await on.play(Loading(run=7, probe="cpu/syscount", params={}, stage="verify", stages=stages))
        assert "types 12 ms · compile 130 ms · verify …" in on.see(StatusLine)


async def test_events_stand_newest_last_and_are_filtered(stage: Open) -> None:
    async with stage(options=EXECS) as on:
        await on.play(PEOPLE, execs([(1, "/bin/a"), (2, "/bin/\x1b[2Jb")]), execs([(1, "/bin/c")]))
        rows = [line.split() for line in on.see(EventList).split("\n")[1:4]]
        assert rows == [
            ["1001", "postgres", "/bin/a"],
            ["1002", "node", "/bin/\\x1b[2Jb"],
            ["1001", "postgres", "/bin/c"],
        ]
        await on.press("tab", "f", *"node")
        assert on.one(EventList).count == 1


async def test_events_follow_the_newest_until_scrolled_away(stage: Open) -> None:
    async with stage(options=EXECS) as on:
        await on.play(PEOPLE, execs([(1, f"/bin/{number}") for number in range(500)]))
        events = on.one(EventList)
        assert events.visible_rows[-1] == 499
        await on.press("tab", "home")
        assert not events.following
        await on.play(execs([(1, "/bin/new")]))
        assert events.visible_rows[0] == 0
        await on.press("end")
        assert events.visible_rows[-1] == 500


async def test_pause_holds_the_screen_while_data_keep_coming(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 30, 2: 20}), calls(2, {1: 60, 2: 30}))
        await on.press("space")
        await on.play(calls(3, {1: 61, 2: 990}))
        table = on.one(TableGrid)
        assert names(table) == ["postgres", "node"]
        assert "‖ paused" in on.see(HeaderLine)
        await on.press("t", "t", "t")
        assert table.cell(0, table.columns[2]) == "60"
        await on.press("t", "space")
        assert names(table) == ["node", "postgres"]


async def test_plus_and_minus_request_for_another_interval(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.press("plus")
        assert on.source.requests[-1] == Interval(run=RUN["cpu/syscount"], seconds=2.0)
        await on.press("minus", "minus")
        assert on.source.requests[-1] == Interval(run=RUN["cpu/syscount"], seconds=0.5)
        assert "live 500 ms" in on.see(HeaderLine)


async def test_detach_is_requested_for_then_shown_then_closes_the_tab(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        number = RUN["cpu/syscount"]
        await on.press("d")
        assert on.source.requests[-1] == Detach(run=number)
        await on.play(Detaching(run=number, done=1, total=3))
        assert "detaching 1 of 3" in on.see(StatusLine)
        await on.play(Detached(run=number))
        assert on.one(RunTabs).tabs[0].note == "detached"
        await on.press("d")
        await on.settle()
        assert on.one(RunTabs).tabs == ()


async def test_tabs_are_turned_by_keys(stage: Open) -> None:
    options = Options(auto_load=[("cpu/runqlat", {}), ("cpu/syscount", {})])
    async with stage(options=options) as on:
        assert on.one(RunTabs).current == RUN["cpu/syscount"]
        await on.press("left_square_bracket")
        assert on.one(RunTabs).current == RUN["cpu/runqlat"]
        assert on.one(HistogramBars).display


@pytest.mark.parametrize("covered", [False, True])
async def test_the_focus_goes_along_to_the_probe_that_comes_to_the_front(stage: Open, covered: bool) -> None:
    """Also behind another screen: no key goes to what isn't shown."""
    options = Options(auto_load=[("cpu/runqlat", {}), ("cpu/syscount", {})])
    async with stage(options=options) as on:
        await on.play(PEOPLE, calls(1, {1: 3}), latencies(1, {1: {5_000: 1}}))
        await on.press("tab")
        screen = on.app.dashboard
        assert screen.pane is not None
        assert screen.focused in screen.pane.stops
        if covered:
            await on.press("question_mark")
            await screen.bring(RUN["cpu/runqlat"])
            await on.press("escape")
        else:
            await on.press("left_square_bracket")
        assert screen.current == RUN["cpu/runqlat"]
        assert screen.focused in screen.pane.stops


async def test_views_stand_side_by_side_where_there_is_room(stage: Open) -> None:
    async with stage(options=CALLS, size=(200, 50)) as on:
        await on.play(PEOPLE, calls(1, {1: 3}, {"read": 4, "write": 9}))
        both = [table for table in on.app.screen.query(TableGrid) if table.region.width]
        assert len(both) == 2
        assert np.array_equal(both[1].rows.keys["nr"].texts(), ["read", "write"])
        await on.pilot.resize_terminal(120, 40)
        await on.settle()
        assert len([table for table in on.app.screen.query(TableGrid) if table.region.width]) == 1
        await on.press("n")
        (shown,) = [table for table in on.app.screen.query(TableGrid) if table.region.width]
        assert "nr" in shown.rows.keys


@pytest.mark.parametrize(("width", "shown"), [(200, [True, False]), (320, [True, True])])
async def test_a_histogram_has_its_past_beside_it_before_another_view_is_there(
    stage: Open, width: int, shown: list[bool]
) -> None:
    other = structs.replace(frames.LATENCY, name="other", title="The other one")
    async with stage(loaded(9, "cpu/two", frames.LATENCY, other), size=(width, 50)) as on:
        await on.play(snapshot(9, 1, {frames.LATENCY.map: columns(tgid=[1], slot=[70], count=[1])}))
        assert [bool(plot.region.width) for plot in on.app.screen.query(HeatmapPlot)] == shown
        await on.press("n")  # as long as it is away
        assert [bool(plot.region.width) for plot in on.app.screen.query(HeatmapPlot)] == [all(shown), True]


async def test_hostile_titles_and_units_are_inert(stage: Open) -> None:
    evil = "\x1b]0;x\x07[bold]"
    column = ColumnInfo(field="tgid", title=evil, decode="process")
    rows = ViewInfo(
        name="rows",
        map="rows",
        show="table",
        title=evil,
        columns=[column, ColumnInfo(field="count", title=evil, unit=evil, role="counter")],
    )
    bars = ViewInfo(name="bars", map="bars", show="histogram", title=evil, unit=evil, by=["tgid"], columns=[column])
    story = [
        loaded(8, "cpu/evil", rows, meaning=evil, variant=evil, attached=[evil], params={evil: evil}, notes=[evil]),
        snapshot(8, 1, {"rows": columns(tgid=[1], count=[5])}),
        loaded(9, "cpu/bars", bars),
        *(snapshot(9, seq, {"bars": columns(tgid=[1], slot=[70], count=[seq])}) for seq in (1, 2, 3)),
    ]
    async with stage(size=(200, 50)) as on:
        await on.play(*story)
        shown = "".join(seen(widget) + str(widget.border_title) for widget in on.app.screen.query("*") if widget.size)
        await on.press("left_square_bracket")
        shown += "".join(seen(widget) + str(widget.border_title) for widget in on.app.screen.query("*") if widget.size)
    assert shown.count("\\x1b]0;x\\x07[bold]") > 8
    assert "\x1b" not in shown
    assert "\x07" not in shown


async def test_tabs_tell_apart_what_runs_twice_and_no_more(stage: Open) -> None:
    async with stage() as on:
        await on.play(
            loaded(1, "cpu/runqlat", params={"pid": "7", "comm": "web"}),
            loaded(2, "cpu/runqlat", params={"pid": "8", "comm": "web"}),
            loaded(3, "cpu/syscount", params={"pid": "7"}),
        )
        assert [tab.name for tab in on.one(RunTabs).tabs] == ["runqlat pid=7", "runqlat pid=8", "syscount"]


async def test_eight_tabs_at_120_columns_are_reached_by_keys_and_clicks(stage: Open) -> None:
    async with stage(size=(120, 36)) as on:
        await on.play(*(loaded(run, f"cpu/probe-number-{run}") for run in range(1, 9)))
        tabs = on.one(RunTabs)
        while tabs.current != 8:
            run = tabs.current + 1
            await on.press("right_square_bracket")
            assert f"probe-number-{run}" in on.see(RunTabs)
            assert tabs.current == run
        assert on.see(RunTabs).strip().startswith("‹")
        await on.press("right_square_bracket")
        assert on.see(RunTabs).strip().endswith("›")
        for _ in range(12):
            line = on.see(RunTabs)
            if "›" in line:
                await on.pilot.click(RunTabs, offset=(line.index("›") + 1, 0))
                await on.settle()
        assert "probe-number-8" in on.see(RunTabs)
        await on.pilot.click(RunTabs, offset=(2, 0))
        await on.settle()
        assert tabs.current < 8


async def test_at_80_columns_a_histogram_tells_all_its_readings_and_leaves_no_line_empty(stage: Open) -> None:
    async with stage(size=(80, 24), options=LATENCY) as on:
        await on.play(PEOPLE, latencies(1, {1: {300: 10, 30_000: 80, 600_000_000: 10}, 2: {9_000: 1}, 3: {9_000: 1}}))
        lines = on.see(HistogramBars).split("\n")
    assert all(line.strip() for line in lines)
    told = " ".join(" ".join(lines).split())
    for name in ("p50", "p90", "p99", "max", "rate", "count"):
        assert f" {name} " in told
    assert "count 102" in told


async def test_percentiles_in_one_row_are_all_marked(stage: Open) -> None:
    async with stage(options=LATENCY) as on:
        await on.play(latencies(1, {1: {5_000: 100}}))
        assert "◂ p50…p99" in on.see(HistogramBars)
        await on.play(latencies(2, {1: {5_000: 160, 900_000: 2}}))
        assert "◂ p50 p90" in on.see(HistogramBars)
        assert "◂ p99" in on.see(HistogramBars)


CONNECTIONS = ViewInfo(
    name="connections",
    map="connections",
    show="events",
    title="Connections",
    columns=[
        ColumnInfo(field="tgid", title="process", decode="process"),
        ColumnInfo(field="local", title="local", decode="address", priority=-1),
        ColumnInfo(field="error", title="error", decode="errno"),
        ColumnInfo(field="remote", title="remote", decode="address"),
        ColumnInfo(field="sent", title="sent", unit="bytes", role="gauge"),
        ColumnInfo(field="state", title="state", decode="tcp_state"),
        ColumnInfo(field="lived", title="lived", unit="ns", role="gauge", priority=1),
    ],
)


def connections(*paths: str, error: str = "") -> Events:
    many = len(paths)
    return events(
        9,
        "connections",
        columns(
            tgid=[1] * many,
            local=["192.168.100.100"] * many,
            error=[error] * many,
            remote=list(paths),
            sent=[7] * many,
            state=["CLOSE"] * many,
            lived=[2_000_000_000] * many,
        ),
    )


def header(grid: Grid) -> list[str]:
    return grid.render_line(0).text.split()


async def test_columns_that_are_empty_yield_first_then_the_lowest_priorities_and_a_mark_counts_them(
    stage: Open,
) -> None:
    async with stage(loaded(9, "cpu/connections", CONNECTIONS), size=(200, 30)) as on:
        await on.play(PEOPLE, connections("10.0.0.1"))
        grid = on.one(EventList)
        assert header(grid) == ["pid", "process", "local", "error", "remote", "sent", "state", "lived"]
        await on.pilot.resize_terminal(115, 30)
        await on.settle()
        assert header(grid) == ["pid", "process", "remote", "sent", "state", "lived", "+2›"]
        await on.play(connections("10.0.0.2", error="ECONNRESET"))
        await on.pilot.resize_terminal(102, 30)
        await on.settle()
        assert header(grid) == ["pid", "process", "error", "remote", "lived", "+3›"]


async def test_arrows_scroll_a_table_sideways(stage: Open) -> None:
    async with stage(loaded(9, "cpu/connections", CONNECTIONS), size=(102, 30)) as on:
        await on.play(PEOPLE, connections("10.0.0.1", error="ECONNRESET"))
        grid = on.one(EventList)
        await on.press("tab", "right", "right", "right")
        assert header(grid) == ["local", "error", "remote", "sent", "state", "lived", "‹+2"]
        await on.press("right")
        assert header(grid)[0] == "local"
        await on.press("left")
        assert header(grid)[0] == "process"
        await on.press("shift+left")
        assert header(grid) == ["pid", "process", "error", "remote", "lived", "+3›"]


def bundled(probe: str) -> tuple[ViewInfo, ...]:
    """The views of a bundled probe."""
    return tuple(folders.read_bundled().probes[probe].views)


def names_of_columns(grid: Grid) -> list[str]:
    return [column.name for column in grid.shown_columns]


@pytest.mark.parametrize("result", ["", "ENOENT"])
async def test_execsnoop_shows_result_and_arguments_on_a_small_screen(stage: Open, result: str) -> None:
    started = columns(
        time=[1_700_000_000 * 10**9],
        tgid=[1],
        path=["/usr/bin/grep"],
        result=[result],
        ppid=[1_000],
        user=["root"],
        args=["grep -c processor /proc/cpuinfo"],
        comm=["grep"],
    )
    async with stage(loaded(9, "cpu/execsnoop", *bundled("cpu/execsnoop"))) as on:
        await on.play(processes(process(1, "grep")), events(9, "events", started))
        await on.press("tab")
        await on.pilot.resize_terminal(80, 24)
        await on.settle()
        assert names_of_columns(on.one(EventList)) == ["time", "tgid.pid", "tgid.comm", "path", "result", "args"]
        assert header(on.one(EventList))[-2:] == ["arguments", "+3›"]


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_last_percentile_stays_where_there_is_little_room(stage: Open, size: tuple[int, int]) -> None:
    async with stage(loaded(9, "disk/biolatency", *bundled("disk/biolatency")), size=size) as on:
        for seq in (1, 2):
            rows = columns(tgid=[1], device=["nvme0n1"], operation=["write"], slot=[230], count=[seq * 500])
            await on.play(PEOPLE, snapshot(9, seq, {"latency": rows}))
        await on.press("tab")
        grid = on.one(TableGrid)
        titles = [each.rstrip("▼") for each in header(grid)]
        assert titles[:4] == ["pid", "process", "device", "operation"]
        assert "p99" in titles
        assert "+" in header(grid)[-1]
        bounds = grid.cell(0, next(each for each in grid.columns if each.name == "p99"))
        assert bounds in grid.render_line(1).text, "whole"


@pytest.mark.parametrize("width", [*range(80, 130, 7)])
async def test_the_mark_of_all_percentiles_stands_apart_from_the_readings(stage: Open, width: int) -> None:
    async with stage(options=LATENCY, size=(width + 34, 36)) as on:
        await on.play(PEOPLE, latencies(1, {1: {5_000: 1}}), latencies(2, {1: {5_000: 100_000_000}}))
        for line in on.see(HistogramBars).splitlines():
            if "◂ p50…p99" in line:
                assert line.partition("◂ p50…p99")[2][:1] in ("", " ")
                break
        else:
            raise AssertionError("no mark")


async def test_a_table_of_percentiles_shows_p99_beside_the_mark(stage: Open) -> None:
    async with stage(options=LATENCY, size=(120, 36)) as on:
        await on.play(PEOPLE, latencies(1, {1: {5_000: 5}}), latencies(2, {1: {5_000: 9}}))
        assert header(on.one(TableGrid))[-3:] == ["p50", "p99", "+4›"]


async def test_a_bar_leaves_its_room_to_the_totals(stage: Open) -> None:
    async with stage(loaded(9, "cpu/syscount", *bundled("cpu/syscount")), size=(120, 36)) as on:
        for seq, calls_made in enumerate((100, 907), 1):
            numbers = columns(key=[1], calls=[calls_made], errors=[seq])
            await on.play(PEOPLE, snapshot(9, seq, {"by_process": numbers}))
        shown = names_of_columns(on.one(TableGrid))
    assert shown == ["key.pid", "key.comm", "calls/s", "errors/s", "bar", "calls"]


async def test_enter_shows_an_event_whole_with_the_process_that_is_gone(stage: Open) -> None:
    path = "/a/very/long/path" * 20
    gone = process(3, "make", parent="bash", command="make -j all", ended_ns=7)
    async with stage(options=EXECS) as on:
        await on.play(processes(gone), execs([(3, path), (3, "/bin/last")]))
        await on.press("tab", "up", "up", "enter")
        assert isinstance(on.app.screen, RowScreen)
        assert dict(on.app.screen.fields) == {
            "pid": "1003",
            "process": "make (ended)",
            "program": path,
            "parent": "bash",
            "command": "make -j all",
        }
        assert path[-40:] in "".join("".join(seen(each).split()) for each in on.app.screen.query(Static))
        await on.press("escape")
        events = on.one(EventList)
        assert events.cursor == 0
        await on.play(execs([(3, "/bin/newer")]))
        assert events.cursor == 0
        assert not events.following
        await on.press("escape")
        assert events.cursor is None
        assert events.following


async def test_enter_shows_a_row_whole_and_w_where_enter_selects(stage: Open) -> None:
    async with stage(options=CALLS, size=(110, 30)) as on:
        await on.play(PEOPLE, calls(1, {1: 5}))
        await on.press("tab", "enter")
        assert dict(on.app.screen.fields)["time total"] == "5 µs"
    async with stage(options=LATENCY) as on:
        await on.play(PEOPLE, latencies(1, {1: {5_000: 1}}))
        await on.press("tab", "down", "w")
        assert ("about", "postgres 1001") in [(title, text[:13]) for title, text in on.app.screen.fields]


async def test_the_focus_follows_what_was_loaded_and_slash_leads_back_to_the_catalog(stage: Open) -> None:
    async with stage() as on:
        await on.press("slash", *"syscount", "enter")
        await on.play(PEOPLE, calls(1, {1: 5}))
        assert on.app.focused is on.one(TableGrid)
        await on.press("i", "slash")
        assert on.app.focused is on.one(CatalogPanel).search


async def test_the_order_survives_the_change_of_window_and_its_sign_stands_where_it_orders(stage: Open) -> None:
    async with stage(options=CALLS, size=(160, 40)) as on:
        await on.play(PEOPLE, calls(1, {1: 30, 2: 20}), calls(2, {1: 31, 2: 29}))
        table = on.one(TableGrid)
        table.sort_by("count")
        table.sort_by("count")
        await on.press("t", "t", "t", "t")
        assert "calls total▲" in table.render_line(0).text
        assert names(table) == ["node", "postgres"]
        table.sort_by("count/s")
        await on.press("t", "t", "t")
        assert "calls total▼" in table.render_line(0).text
        await on.press("t")
        assert "calls/s▼" in table.render_line(0).text
    async with stage(options=LATENCY) as on:
        await on.play(PEOPLE, latencies(1, {1: {5_000: 9}, 2: {900_000: 1}}))
        await on.play(latencies(2, {1: {5_000: 19}, 2: {900_000: 2}}))
        await on.press("t", "t", "t")
        table = on.one(TableGrid)
        table.sort_by("count")
        assert names(table) == ["postgres", "node"]
        await on.press("t")
        assert "count/s▼" in table.render_line(0).text
        assert names(table) == ["postgres", "node"]
        await on.press("t", "t", "t")
        assert "count▼" in table.render_line(0).text


async def test_the_entry_of_a_probe_takes_the_focus_from_the_table_that_it_hides(stage: Open) -> None:
    async with stage(options=Options(auto_load=[("cpu/syscount", {})])) as on:
        await on.play(calls(0, {1: 5}))
        await on.press("tab", "i")
        assert isinstance(on.app.focused, About)
        await on.press("q")
        assert on.app.return_code == 0


async def test_events_have_a_column_for_places_once_somebody_is_there(stage: Open) -> None:
    """In a list that many are in, only those count that events are about."""
    people = processes(
        process(1, "sh"), process(2, "make", container="web", nspid=17), process(3, "x", pod="none/here")
    )
    async with stage(people, options=Options(auto_load=[("cpu/execsnoop", {})]), size=(200, 30)) as on:
        await on.play(execs([(1, "/bin/a")]))
        events = on.one(EventList)
        before = [column.title for column in events.columns]
        assert not {"container", "pod", "unit", "nspid"} & {*before}
        await on.play(execs([(2, "/bin/b"), (1, "/bin/c")]))
        added = events.columns[len(before) :]
        assert [column.title for column in added] == ["container", "nspid"]
        assert [[events.cell(row, column) for column in added] for row in range(3)] == [
            ["", ""],
            ["web", "17"],
            ["", ""],
        ]
        await on.play(execs([(2, "/bin/b")]))
        assert len(events.columns) == len(before) + 2
        assert dict(events.whole(1))["container"] == "web"
        assert [title for title, _ in events.whole(1)].count("container") == 1
