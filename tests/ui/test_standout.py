"""From a region of a heatmap to what stands out in it, and on to the view that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from textual.widgets import Static

from ebpftop.frames.messages import Snapshot
from ebpftop.model.heat import Region
from ebpftop.model.past.span import ALL
from ebpftop.model.standouts import Finding
from ebpftop.ui.app.options import Options
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.standout import StandoutScreen
from ebpftop.ui.widgets.findings import finding_rows, percent, sentence
from ebpftop.ui.widgets.heat_frame import HeatFrame
from ebpftop.ui.widgets.heatmap import HeatmapPlot
from ebpftop.ui.widgets.table_grid import TableGrid
from ebpftop.ui.widgets.trail import Trail
from tests.support.frames import LATENCY, process, processes
from tests.ui.conftest import Open, Stage
from tests.ui.probes import RUN, calls, latencies

BOTH = Options(auto_load=[("cpu/syscount", {}), ("cpu/runqlat", {})])
READERS, BACKUP, LOGGER = (1, 2, 3), 4, 5
PEOPLE = processes(*(process(number, "reader") for number in READERS), process(4, "backup"), process(5, "logger"))
SECONDS = 60
LARGE = (200, 60)


def story() -> Iterator[Snapshot]:
    """Three readers are fast; in the last ten seconds `backup` is slow, and `logger` makes most system calls."""
    slow = 0
    for second in range(1, SECONDS + 1):
        slow += 10 if second > SECONDS - 10 else 0
        fast = {number: {20_000: second * (10 + number)} for number in READERS}
        yield latencies(second, {**fast, BACKUP: {40_000_000: slow + 1}})
        yield calls(second, {**{number: second * 50 for number in READERS}, LOGGER: 1 + slow * 90})


async def choose_the_slow_patch(on: Stage) -> None:
    """The focus goes to the heatmap, and the region to the slow ones of the last ten seconds."""
    dashboard = on.app.screen
    assert isinstance(dashboard, Dashboard)
    while dashboard.run is None or dashboard.run.last is None or dashboard.run.last.seq < SECONDS:
        await on.settle()
    await dashboard.draw_front()
    on.one(HeatFrame).catch_up()
    while not isinstance(on.app.focused, HeatmapPlot):
        await on.press("tab")
    await on.press("end", *["up"] * 60, *["shift+left"] * 9, "shift+down")


def answer(on: Stage) -> str:
    return str(on.app.screen.query_one("#answer", Static).render())


def cells(table: TableGrid, row: int) -> dict[str, str]:
    return {column.name: table.cell(row, column) for column in table.columns}


async def test_four_keys_lead_from_the_region_to_the_guilty_process(stage: Open) -> None:
    async with stage(PEOPLE, options=BOTH, size=LARGE) as on:
        await on.play(*story())
        await choose_the_slow_patch(on)
        await on.press("x")
        assert answer(on) == "100% of these, 0% of the others: process backup 1004"
        screen = on.app.screen
        assert isinstance(screen, StandoutScreen)
        here = cells(screen.here.grid, 0)
        assert (here["what"], here["value"], here["inside"], here["count"]) == ("process", "backup 1004", "100%", "100")
        assert " for 10 s · " in str(screen.here.border_title)
        await on.press("enter")
        assert isinstance(on.app.screen, Dashboard)
        assert str(on.one(HeatFrame).border_title).startswith("over time · only backup 1004")
        assert on.see(Trail).startswith("only backup 1004")


async def test_esc_and_x_go_back_and_change_nothing(stage: Open) -> None:
    async with stage(PEOPLE, options=BOTH, size=LARGE) as on:
        await on.play(*story())
        await choose_the_slow_patch(on)
        title = str(on.one(HeatFrame).border_title)
        for key in ("escape", "x"):
            await on.press("x")
            assert isinstance(on.app.screen, StandoutScreen)
            await on.press(key)
            assert isinstance(on.app.screen, Dashboard)
            assert str(on.one(HeatFrame).border_title) == title


async def test_other_probes_are_asked_for_the_same_time(stage: Open) -> None:
    async with stage(PEOPLE, options=BOTH, size=LARGE) as on:
        await on.play(*story())
        await choose_the_slow_patch(on)
        await on.press("x")
        screen = on.app.screen
        assert isinstance(screen, StandoutScreen)
        other = cells(screen.elsewhere.grid, 0)
        assert (other["probe"], other["value"]) == ("syscount", "logger 1005")
        assert (other["inside"], other["count"]) == ("86%", "9 000")  # 900 of 1 050 a second
        await on.press("tab", "enter")
        dashboard = on.app.screen
        assert isinstance(dashboard, Dashboard)
        assert dashboard.current == RUN["cpu/syscount"]
        assert dashboard.panel is not None
        assert dashboard.panel.view.name == "by process"
        assert dashboard.panel.query_one(TableGrid).count == 1
        assert on.see(Trail).startswith("only logger 1005")


async def test_x_does_nothing_without_a_region(stage: Open) -> None:
    async with stage(PEOPLE, options=BOTH, size=LARGE) as on:
        await on.play(*story())
        await choose_the_slow_patch(on)
        await on.press("escape", "x")
        assert isinstance(on.app.screen, Dashboard)


async def test_nothing_stands_out_where_all_is_alike(stage: Open) -> None:
    async with stage(PEOPLE, options=BOTH, size=LARGE) as on:
        for second in range(1, SECONDS + 1):
            await on.play(latencies(second, {number: {20_000: 10 * second, 40_000: second} for number in READERS}))
        await choose_the_slow_patch(on)
        await on.press("x")
        assert answer(on) == "Nothing stands out"
        screen = on.app.screen
        assert isinstance(screen, StandoutScreen)
        assert "nothing stands out" in screen.here.grid.render_line(1).text
        assert not screen.elsewhere.display


async def test_a_region_that_holds_nearly_all_says_so(stage: Open) -> None:
    async with stage(PEOPLE, options=BOTH, size=LARGE) as on:
        for second in range(1, SECONDS + 1):
            await on.play(latencies(second, {number: {20_000: 10 * second} for number in READERS}))
        heatmap = on.one(HeatmapPlot)
        heatmap.post_message(HeatmapPlot.Asked(Region(ALL, 0, 1 << 60), "everything", ALL))
        await on.settle()
        assert answer(on) == "The region holds 100% of all values, so nothing can stand out: choose a smaller region"


def finding(**changes: Any) -> Finding:
    known = Finding(1, "disk/biolatency", LATENCY, LATENCY.columns[0], "", BACKUP, 0.934, 0.0412, 0.5, 1234)
    return replace(known, **changes)


def test_the_answer_is_one_sentence() -> None:
    people = {BACKUP: process(BACKUP, "backup\x1b[31m", ended_ns=5)}
    assert sentence([finding()], [], people) == (
        "93% of these, 4.1% of the others: process backup\\x1b[31m (ended) 1004"
    )
    by_user = finding(trait="user", value="www")
    assert sentence([], [by_user], people) == (
        "Nothing stands out here. In biolatency: Run queue latency, 93% then, 4.1% otherwise: process user www"
    )


def test_rows_keep_their_order_and_name_what_they_are_about() -> None:
    rows = finding_rows([finding(), finding(trait="name", value="yes")], {}, inside="in", outside="out", probes=False)
    texts = [[column.cell(row) for column in rows.columns][:5] for row in range(2)]
    assert texts == [
        ["process", "(unknown 4) –", "93%", "4.1%", "1 234"],
        ["name", "yes", "93%", "4.1%", "1 234"],
    ]
    assert rows.key(1) == (1,)
    assert rows.about(1) == "biolatency: Run queue latency"


@pytest.mark.parametrize(("share", "text"), [(100.0, "100%"), (4.123, "4.1%"), (0.0, "0%"), (None, "–")])
def test_shares_have_two_digits(share: float | None, text: str) -> None:
    assert percent(share) == text
