"""What the views of running probes show: histograms, tables and events."""

from __future__ import annotations

import numpy as np
import pytest
from textual.geometry import Offset
from textual.widgets import Static

from ebpftop.frames.columns import Labels
from ebpftop.frames.messages import ColumnInfo, ViewInfo
from ebpftop.model.events import EventLog
from ebpftop.ui.app.options import Options
from ebpftop.ui.screens.row import RowScreen
from ebpftop.ui.widgets.events import EventList
from ebpftop.ui.widgets.header import HeaderLine
from ebpftop.ui.widgets.histogram import HistogramBars
from ebpftop.ui.widgets.panel import FilterInput, Framed
from ebpftop.ui.widgets.runs import RunTabs
from ebpftop.ui.widgets.status import StatusLine
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support.frames import columns, cost, loaded, process, processes, snapshot
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


async def test_the_list_begins_anew_with_another_log_also_with_a_longer_one(stage: Open) -> None:
    async with stage(options=EXECS) as on:
        await on.play(PEOPLE, execs([(1, "/bin/early")] * 3))
        events, log = on.one(EventList), EventLog()
        log.add({"tgid": np.ones(5, np.int64), "path": Labels(np.zeros(5, np.int64), ["/bin/late"])})
        events.take(log, on.app.feed.session.processes)
        assert [events.cell(row, events.columns[-1]) for row in range(events.count)] == ["/bin/late"] * 5


async def test_a_list_that_is_not_on_the_screen_yet_takes_no_focus(stage: Open) -> None:
    async with stage() as on:
        focused = on.app.focused
        frame = TableFrame("Calls", TableGrid("calls"))
        frame.ask_filter()
        frame.drop_filter()
        assert on.app.focused is focused


async def test_a_key_acts_on_the_last_event_where_fewer_are_left_than_were_scrolled_past(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(options=EXECS) as on:
        await on.play(PEOPLE, execs([(1, "/bin/a"), (2, "/bin/b")]))
        events = on.one(EventList)
        monkeypatch.setattr(EventList, "scroll_offset", Offset(0, 500))
        await on.press("tab")
        events.point()
        assert events.cursor == 1


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


async def test_percentiles_in_one_row_are_all_marked(stage: Open) -> None:
    async with stage(options=LATENCY) as on:
        await on.play(latencies(1, {1: {5_000: 100}}))
        assert "◂ p50…p99" in on.see(HistogramBars)
        await on.play(latencies(2, {1: {5_000: 160, 900_000: 2}}))
        assert "◂ p50 p90" in on.see(HistogramBars)
        assert "◂ p99" in on.see(HistogramBars)


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
