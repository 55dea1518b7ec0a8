"""Tabs of running probes: loading, detaching, and where the focus goes."""

from __future__ import annotations

import pytest

from ebpftop.frames.messages import Detach, Detached, Detaching, Interval, Loading
from ebpftop.ui.app.options import Options
from ebpftop.ui.widgets.about import About
from ebpftop.ui.widgets.catalog import CatalogPanel
from ebpftop.ui.widgets.header import HeaderLine
from ebpftop.ui.widgets.histogram import HistogramBars
from ebpftop.ui.widgets.runs import RunTabs
from ebpftop.ui.widgets.status import StatusLine
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support.frames import loaded, process, processes
from tests.ui.conftest import Open
from tests.ui.probes import RUN, calls, latencies

CALLS = Options(auto_load=[("cpu/syscount", {})])
PEOPLE = processes(process(1, "postgres"), process(2, "node"), process(3, "make", ended_ns=7))


async def test_loading_shows_its_stages(stage: Open) -> None:
    async with stage() as on:
        stages = [("types", 12.4), ("compile", 130.0)]
        await on.play(Loading(run=7, probe="cpu/syscount", params={}, stage="verify", stages=stages))
        assert "types 12 ms · compile 130 ms · verify …" in on.see(StatusLine)


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


async def test_the_focus_follows_what_was_loaded_and_slash_leads_back_to_the_catalog(stage: Open) -> None:
    async with stage() as on:
        await on.press("slash", *"syscount", "enter")
        await on.play(PEOPLE, calls(1, {1: 5}))
        assert on.app.focused is on.one(TableGrid)
        await on.press("i", "slash")
        assert on.app.focused is on.one(CatalogPanel).search


async def test_the_entry_of_a_probe_takes_the_focus_from_the_table_that_it_hides(stage: Open) -> None:
    async with stage(options=Options(auto_load=[("cpu/syscount", {})])) as on:
        await on.play(calls(0, {1: 5}))
        await on.press("tab", "i")
        assert isinstance(on.app.focused, About)
        await on.press("q")
        assert on.app.return_code == 0
