"""Histograms over time: the heatmap, its cursor and its region."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from textual.color import Color
from textual.geometry import Region as Lines
from textual.message import Message
from textual.theme import Theme

from ebpftop.frames.messages import Snapshot
from ebpftop.model.heat import Region
from ebpftop.model.past.span import Span
from ebpftop.stats.formatting import clock
from ebpftop.ui.app.options import Options
from ebpftop.ui.drawing.heat_cells import LABEL, SHADES
from ebpftop.ui.drawing.heat_layout import LEVELS
from ebpftop.ui.drawing.theme import DARK, LIGHT
from ebpftop.ui.widgets.heat_frame import HeatFrame
from ebpftop.ui.widgets.heatmap import HeatmapPlot
from ebpftop.ui.widgets.series import RatePlot
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support.frames import EPOCH, SECOND, process, processes
from tests.ui.conftest import Open, Stage
from tests.ui.probes import latencies

LATENCY = Options(auto_load=[("cpu/runqlat", {})])
PEOPLE = processes(process(1, "postgres"), process(2, "node"))
LARGE = (200, 60)
START = 1000 * SECOND  # monotonic, of the first sample


def story(until: int, since: int = 1) -> Iterator[Snapshot]:
    """A second each: 10 of 5 µs and one of 900 µs by postgres; in the third second, 3 of 40 ms by node."""
    for second in range(since, until + 1):
        slow = {2: {40_000_000: 3}} if second >= 3 else {}
        yield latencies(second, {1: {5_000: 10 * second, 900_000: second}, **slow})


def rim(on: Stage) -> str:
    return str(on.one(HeatFrame).border_title)


def at(second: float) -> str:
    """The clock's time, as tests may run in any zone."""
    return clock(EPOCH + round(second * SECOND))[:8]


def across(heatmap: HeatmapPlot, column: int) -> int:
    """Where a column of time is drawn."""
    assert heatmap._heat is not None
    return LABEL + heatmap._heat.time.cells.tolist().index(column)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[Region | None]:
    """What the heatmap posted."""
    posted: list[Region | None] = []
    post = HeatmapPlot.post_message

    def noted(self: HeatmapPlot, message: Message) -> bool:
        if isinstance(message, HeatmapPlot.Chosen):
            posted.append(message.region)
        return post(self, message)

    monkeypatch.setattr(HeatmapPlot, "post_message", noted)
    return posted


async def test_over_time_takes_the_place_of_the_bars_or_stands_beside_them(stage: Open) -> None:
    async with stage(PEOPLE, options=LATENCY) as on:
        await on.play(*story(4))
        heatmap = on.one(HeatmapPlot)
        assert heatmap.size.height == 0
        await on.press("o")
        assert heatmap.size.height > 8
        assert "p99" in on.see(HeatmapPlot)
    async with stage(PEOPLE, options=LATENCY, size=LARGE) as on:
        await on.play(*story(4))
        assert on.one(HeatmapPlot).size.height > 8
        assert "events per second" in on.see(RatePlot)


async def test_the_cell_under_the_cursor_is_told_in_numbers(stage: Open) -> None:
    async with stage(PEOPLE, options=LATENCY, size=LARGE) as on:
        await on.play(*story(4))
        await on.press("tab", "tab", "left")
        head = on.see(HeatmapPlot).split("\n")[0]
        assert head.startswith(f"{at(3)} for 1 s · 786 µs–1 ms")  # at first the newest p99
        assert head.endswith(" · 1 value · 1/s · 9.1% of all")
        await on.press("left")
        await on.press(*["up"] * 60)
        head = on.see(HeatmapPlot).split("\n")[0]
        assert head.startswith(f"{at(2)} for 1 s · ")
        assert head.endswith(" ms · 3 values · 3/s · 21% of all")
        await on.press("escape")
        assert "per second" in on.see(HeatmapPlot).split("\n")[0]


async def test_the_cursor_stays_on_its_time_while_time_goes_on(stage: Open) -> None:
    async with stage(PEOPLE, options=LATENCY, size=LARGE) as on:
        await on.play(*story(4))
        await on.press("tab", "tab", "left", "left")
        before = on.see(HeatmapPlot).split("\n")[0]
        assert before.startswith(f"{at(2)} for 1 s")
        await on.play(*story(9, since=5))
        assert on.see(HeatmapPlot).split("\n")[0] == before


async def test_shift_and_arrows_choose_a_region(stage: Open, chosen: list[Region | None]) -> None:
    async with stage(PEOPLE, options=LATENCY, size=LARGE) as on:
        await on.play(*story(4))
        await on.press("tab", "tab", "left", "shift+left", *["shift+up"] * 60)
        region = chosen[-1]
        assert region is not None
        assert region.span == Span(START + 2 * SECOND, START + 4 * SECOND)
        assert region.low <= 900_000 < 40_000_000 < region.high
        assert f" · {at(2)} for 2 s · " in rim(on)
        assert rim(on).endswith(" · 5 values · 20% of all")  # 2 of 900 µs and 3 of 40 ms; beside them 20 of 5 µs
        assert "╚" in on.see(HeatmapPlot)
        await on.press("escape")
        assert chosen[-1] is None
        assert rim(on) == "over time · all"
        assert "╚" not in on.see(HeatmapPlot)


async def test_enter_shows_the_time_of_the_region_everywhere_and_marks_it_on_the_axis(stage: Open) -> None:
    async with stage(PEOPLE, options=LATENCY, size=LARGE) as on:
        await on.play(*story(6))
        await on.press("tab", "tab", "left", "left", "left", "shift+left", "enter")
        span = Span(START + 2 * SECOND, START + 4 * SECOND)
        assert on.app.feed.when.wanted == span
        heatmap = on.one(HeatmapPlot)
        laid = heatmap._lay_out()
        assert laid is not None
        assert int(laid.heat.time.end[-1]) == START + 6 * SECOND  # what follows is shown too
        before, marked, _ = heatmap._axis(laid)
        columns = laid.heat.time.cells[len(before[0]) - LABEL :][: len(marked[0])]
        assert sorted(set(columns.tolist())) == [1, 2]


async def test_v_chooses_where_shift_and_arrows_dont_arrive(stage: Open, chosen: list[Region | None]) -> None:
    async with stage(PEOPLE, options=LATENCY, size=LARGE) as on:
        await on.play(*story(4))
        await on.press("tab", "tab", "left", "V", "left", "V", "left", "left")
        assert chosen[-1] is not None
        assert chosen[-1].span == Span(START + 2 * SECOND, START + 4 * SECOND)
        assert on.see(HeatmapPlot).split("\n")[0].startswith(at(1))  # the cursor went on alone


async def test_dragging_chooses_a_region_and_a_click_only_a_cell(stage: Open, chosen: list[Region | None]) -> None:
    async with stage(PEOPLE, options=LATENCY, size=LARGE) as on:
        await on.play(*story(4))
        heatmap = on.one(HeatmapPlot)
        second, third, newest = (across(heatmap, column) for column in range(3))
        await on.pilot.click(heatmap, offset=(third, 1))
        await on.settle()
        assert on.see(HeatmapPlot).split("\n")[0].endswith(" · 3 values · 3/s · 21% of all")
        assert chosen == []
        await on.pilot.mouse_down(heatmap, offset=(third, 1))
        await on.pilot.hover(heatmap, offset=(newest, 3))
        await on.pilot.mouse_up(heatmap, offset=(newest, 3))
        await on.pilot.hover(heatmap, offset=(second, 3))  # after the button was released
        await on.settle()
        assert chosen[-1] is not None
        assert chosen[-1].span == Span(START + 2 * SECOND, START + 4 * SECOND)
        assert chosen[-1].low <= 40_000_000 < chosen[-1].high
        assert rim(on).endswith(" · 3 values · 12% of all")


async def test_a_region_keeps_its_numbers_when_the_row_heights_change(stage: Open) -> None:
    async with stage(PEOPLE, options=LATENCY, size=LARGE) as on:
        await on.play(*story(4))
        await on.press("tab", "tab", "left", "shift+left", *["shift+up"] * 60)
        before = rim(on)
        await on.pilot.resize_terminal(180, 40)
        await on.settle()
        assert rim(on) == before
        assert "╚" in on.see(HeatmapPlot)


async def test_a_region_counts_what_is_shown(stage: Open) -> None:
    async with stage(PEOPLE, options=LATENCY, size=LARGE) as on:
        await on.play(*story(4))
        await on.press("t", "t", "t")
        await on.press("tab", "tab", "left", "shift+left", *["shift+up"] * 60)
        assert rim(on).endswith(" · 5 values · 20% of all")
        await on.press("shift+tab", "down", "down", "enter")
        both = {"node": " · 3 values · 100% of all", "postgres": " · 2 values · 9.1% of all"}
        assert rim(on).endswith(both["node" if "node" in rim(on) else "postgres"])
        assert f" · {at(2)} for 2 s · " in rim(on)


async def test_one_key_has_a_heatmap_of_its_own(stage: Open) -> None:
    async with stage(PEOPLE, options=LATENCY, size=LARGE) as on:
        await on.play(*story(4))
        table = on.one(TableGrid)
        await on.press("t", "t", "t")  # since the start, so that node is in the table
        await on.press("tab", *["down"] * 2, "enter")
        only = rim(on)
        assert only in ("over time · only node 1002", "over time · only postgres 1001")
        assert table.count == 2
        await on.press("tab", "left")
        head = on.see(HeatmapPlot).split("\n")[0]
        assert head.endswith("nothing at that time" if "node" in only else " · 9.1% of all")


async def test_a_tick_that_brings_nothing_to_see_writes_no_line(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[Lines] = []
    refresh = HeatmapPlot.refresh

    def noted(self: HeatmapPlot, *regions: Lines, **how: bool) -> HeatmapPlot:
        painted.extend(regions or [self.size.region])
        return refresh(self, *regions, **how)

    async with stage(PEOPLE, options=LATENCY, size=LARGE) as on:
        await on.play(*story(30))
        frame = on.one(HeatFrame)
        while frame._last is None or frame._last[1] < START + 30 * SECOND:
            await on.settle()
        frame.catch_up()
        monkeypatch.setattr(frame, "set_timer", lambda *_: None)  # it would draw later
        monkeypatch.setattr(HeatmapPlot, "refresh", noted)
        await on.play(*story(31, since=31))  # drawn every few seconds
        assert painted == []
        frame.catch_up()
        assert painted != []
        await on.settle()
        painted.clear()
        heatmap = on.one(HeatmapPlot)
        assert heatmap._heat is not None
        heatmap.show(heatmap._heat, heatmap._span)
        assert painted == []
        await on.press("tab", "tab", "left")
        painted.clear()
        await on.press("down")
        assert sorted({line.y for line in painted}) == sorted({line.y for line in painted if line.height == 1})
        assert len({line.y for line in painted}) == 3  # the readout, and the cursor's old and new line


async def test_without_colour_the_characters_get_heavier(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage(PEOPLE, options=LATENCY, size=LARGE) as on:
        await on.play(*story(4))
        heatmap = on.one(HeatmapPlot)
        lines = on.see(HeatmapPlot).split("\n")
        axis = next(y for y, line in enumerate(lines) if line.endswith(at(4)))
        column = [heatmap.render_line(y).text[across(heatmap, 1)] for y in range(1, axis)]
        signs = "".join(column).strip()
        assert signs[0] == "━"  # p99, over what 3 a second would be
        assert signs[-1] == "─"  # p50, over what 10 a second would be
        assert SHADES[1] in signs  # once a second
        legend = heatmap.render_line(0).text
        assert f"{SHADES[1] * 2} 1" in legend
        assert f"{SHADES[-1] * 2} 10" in legend


def lightness(rgb: tuple[float, float, float]) -> float:
    """CIE L* of linear sRGB."""
    y = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


# Machado, Oliveira and Fernandes 2009, severity 1: protanopia, deuteranopia, tritanopia; of linear sRGB.
EYES = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_the_ramp_gets_lighter_or_darker_by_steps_that_any_eye_sees(theme: Theme, eyes: str) -> None:
    names = [str(theme.background), *(theme.variables[f"heat-{level}"] for level in range(1, LEVELS + 1))]
    seen = []
    for name in names:
        srgb = np.array(Color.parse(name).rgb) / 255
        linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
        seen.append(lightness(tuple(np.clip(EYES[eyes] @ linear, 0, 1))))
    steps = [after - before for before, after in pairwise(seen)]
    assert min(steps) >= 6 if theme.dark else max(steps) <= -6
