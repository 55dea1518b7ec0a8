"""What a view shows where there is little room, and where there is much."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from ebpftop.catalog import folders
from ebpftop.frames.messages import ColumnInfo, Events, ViewInfo
from ebpftop.ui.app.options import Options
from ebpftop.ui.widgets.events import EventList
from ebpftop.ui.widgets.grid import Grid
from ebpftop.ui.widgets.heatmap import HeatmapPlot
from ebpftop.ui.widgets.histogram import HistogramBars
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support import frames
from tests.support.frames import columns, events, loaded, process, processes, snapshot
from tests.ui.conftest import Open
from tests.ui.probes import calls, execs, latencies

LATENCY = Options(auto_load=[("cpu/runqlat", {})])
CALLS = Options(auto_load=[("cpu/syscount", {})])
PEOPLE = processes(process(1, "postgres"), process(2, "node"), process(3, "make", ended_ns=7))


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


async def test_at_80_columns_a_histogram_tells_all_its_readings_and_leaves_no_line_empty(stage: Open) -> None:
    async with stage(size=(80, 24), options=LATENCY) as on:
        await on.play(PEOPLE, latencies(1, {1: {300: 10, 30_000: 80, 600_000_000: 10}, 2: {9_000: 1}, 3: {9_000: 1}}))
        lines = on.see(HistogramBars).split("\n")
    assert all(line.strip() for line in lines)
    told = " ".join(" ".join(lines).split())
    for name in ("p50", "p90", "p99", "max", "rate", "count"):
        assert f" {name} " in told
    assert "count 102" in told


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
