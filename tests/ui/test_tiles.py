"""Playbooks: found in the catalog, opened as tiles, moved through, zoomed, and explained where there is nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from textual.content import Content
from textual.widgets import Static

from ebpftop.frames.messages import (
    AnyFrame,
    AnyRequest,
    Catalog,
    Detach,
    Detached,
    Load,
    Loading,
    PlaybookInfo,
    Refused,
    StepInfo,
)
from ebpftop.ui.app.options import Options
from ebpftop.ui.drawing.tiling import LEAST_HEIGHT, LEAST_WIDTH, arrangement, page
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.threads import ThreadsScreen
from ebpftop.ui.screens.tiles import Tiles
from ebpftop.ui.screens.verifier import VerifierScreen
from ebpftop.ui.widgets.about import About
from ebpftop.ui.widgets.catalog import CatalogPanel, CatalogTree
from ebpftop.ui.widgets.header import HeaderLine
from ebpftop.ui.widgets.histogram import HistogramBars
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.runs import RunTabs
from ebpftop.ui.widgets.table_grid import TableGrid
from ebpftop.ui.widgets.tile import Tile
from tests.support.frames import loaded, process, processes, rejected
from tests.ui.conftest import Open, Stage, answers
from tests.ui.probes import BY_CALL, BY_PROCESS, PROBES, RUN, calls, latencies


def step(probe: str, question: str = "Why?", **more: Any) -> StepInfo:
    return StepInfo(probe=probe, question=question, **more)


SLOW = PlaybookInfo(
    name="slow",
    title="It is slow",
    summary="Why that is.",
    steps=[
        step("cpu/runqlat", "Is it the CPU?"),
        step("cpu/syscount", "Which calls?", view="by call"),
        step("disk/vfsstat", "Which files?"),
        step("lab/null-deref", "Does it fail?"),
        step("disk/nowhere", "Is it there?"),
    ],
)
TINY = PlaybookInfo(name="tiny", title="Tiny", summary="One.", steps=[step("cpu/runqlat")])
CATALOG = Catalog(probes=list(PROBES), playbooks=[SLOW, TINY], problems=["/etc/x/mine/broken/probe.toml:2: odd: what?"])
OPEN = Options(playbook="slow")
PEOPLE = processes(process(1, "postgres"))


def refusing(request: AnyRequest) -> Iterable[AnyFrame]:
    """A root side on which lab/null-deref is rejected."""
    if isinstance(request, Load) and request.probe == "lab/null-deref":
        yield Loading(run=RUN[request.probe], probe=request.probe, params={}, stage="verify")
        yield rejected(RUN[request.probe], request.probe)
    else:
        yield from answers(request)


def tile(on: Stage, at: int) -> Tile:
    return list(on.app.screen.query(Tile))[at]


def title(on: Stage, at: int) -> str:
    return Content.from_markup(str(tile(on, at).border_title)).plain


def table(on: Stage) -> TableGrid:
    """Of the calls."""
    return tile(on, 1).query_one(TableGrid)


def why(on: Stage, at: int) -> str:
    return str(tile(on, at).query_one(".why", Static).render())


def loads(on: Stage) -> list[str]:
    return [request.probe for request in on.source.requests if isinstance(request, Load)]


async def test_playbooks_and_what_is_not_usable_stand_in_the_catalog(stage: Open) -> None:
    async with stage(CATALOG) as on:
        await on.press("tab")
        lines = on.see(CatalogTree).split("\n")
        assert lines[:4] == ["▾ playbooks", "  ≡ slow  It is slow", "  ≡ tiny  Tiny", "▾ cpu"]
        at = lines.index("▾ unusable")
        assert lines[at + 1] == "  ✗ mine/broken  odd: what?"
        told = on.one(About).description.plain
        assert "It is slow" in told
        assert "Which calls?" in told
        await on.press("end")
        told = on.one(About).description.plain
        assert "✗ odd: what?" in told
        assert "/etc/x/mine/broken/probe.toml:2" in told
        await on.press("enter")
        assert on.app.screen is on.app.dashboard


async def test_a_playbook_may_begin_with_what_threads_wait_for(stage: Open) -> None:
    hangs = PlaybookInfo(name="hangs", title="It hangs", summary="Why.", steps=TINY.steps, opens="threads")
    async with stage(Catalog(probes=list(PROBES), playbooks=[hangs]), options=Options(playbook="hangs")) as on:
        assert isinstance(on.app.screen, ThreadsScreen)
        assert loads(on) == ["cpu/runqlat"]
        await on.press("escape")
        assert isinstance(on.app.screen, Tiles)
        await on.press("z", "z")  # it is opened again, not begun again
        assert isinstance(on.app.screen, Tiles)


async def test_a_search_finds_probes_before_playbooks(stage: Open) -> None:
    async with stage(CATALOG) as on:
        await on.press("slash", *"s")
        assert on.one(CatalogTree).chosen is not None
        await on.press(*"low")
        assert on.see(CatalogTree).strip().split("\n") == ["▾ playbooks", "  ≡ slow  It is slow"]
        await on.press("enter")
        assert isinstance(on.app.screen, Tiles)


async def test_a_playbook_loads_what_may_run_and_explains_the_rest(stage: Open) -> None:
    async with stage(CATALOG, options=OPEN, answer=refusing) as on:
        assert isinstance(on.app.screen, Tiles)
        assert loads(on) == ["cpu/runqlat", "cpu/syscount", "lab/null-deref"]
        await on.play(PEOPLE, latencies(1, {1: {5_000: 7}}), calls(1, {1: 5}, {"openat": 11}))
        assert "◂ p50…p99" in on.see(HistogramBars)
        assert table(on).cell(0, table(on).columns[0]) == "openat"
        assert title(on, 1) == "● syscount · Which calls?"
        assert why(on, 2) == "✗ unavailable: needs kprobes"
        assert why(on, 3) == "✗ R0 invalid mem access 'map_value_or_null'\nv shows why"
        assert why(on, 4) == "✗ no such probe in the catalog"
        assert len(on.told()) == 1  # the folder that isn't usable
        await on.press("v")
        assert isinstance(on.app.screen, VerifierScreen)
        await on.press("escape")
        assert isinstance(on.app.screen, Tiles)


async def test_a_wrong_parameter_in_a_playbook_is_told_in_its_tile(stage: Open) -> None:
    def answer(request: AnyRequest) -> Iterable[AnyFrame]:
        if isinstance(request, Load):
            yield Refused(request=request.request, error="pid: no such process")

    book = PlaybookInfo(name="slow", title="", summary="", steps=[step("cpu/runqlat", params={"pid": "7"})])
    async with stage(Catalog(probes=list(PROBES), playbooks=[book]), options=OPEN, answer=answer) as on:
        assert why(on, 0) == "✗ pid: no such process"
        assert on.told() == []
        await on.press("enter")
        assert loads(on) == ["cpu/runqlat", "cpu/runqlat"]


async def test_the_stages_of_a_load_move_nothing_on_the_screen(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where several probes load at once, a new layout for each stage would hold up all of them."""

    def answered(request: AnyRequest) -> Iterable[AnyFrame]:
        if isinstance(request, Load):
            yield Loading(run=RUN[request.probe], probe=request.probe, params={}, stage="types")

    layouts: list[Tiles] = []
    lay_out = Tiles._refresh_layout

    def noted(self: Tiles, *args: Any, **given: Any) -> None:
        layouts.append(self)
        lay_out(self, *args, **given)

    monkeypatch.setattr(Tiles, "_refresh_layout", noted)
    async with stage(CATALOG, options=OPEN, answer=answered) as on:
        assert "types …" in why(on, 0)
        layouts.clear()
        for at in ("compile", "verify", "attach"):
            await on.play(Loading(run=RUN["cpu/runqlat"], probe="cpu/runqlat", params={}, stage=at))
            assert f"{at} …" in why(on, 0)
        assert layouts == []


async def test_what_runs_already_is_not_loaded_twice(stage: Open) -> None:
    async with stage(CATALOG) as on:
        await on.press("slash", *"runqlat", "enter", "slash", *"slow", "enter")
        assert loads(on) == ["cpu/runqlat", "cpu/syscount", "lab/null-deref"]


async def test_arrows_and_tab_move_enter_zooms_and_z_comes_back(stage: Open) -> None:
    async with stage(CATALOG, options=OPEN) as on:
        await on.play(PEOPLE, calls(1, {1: 5}, {"openat": 11}))
        assert on.app.focused is tile(on, 0)
        await on.press("right")
        assert on.app.focused is tile(on, 1)
        await on.press("down")
        assert on.app.focused is tile(on, 3)
        await on.press("tab")
        assert on.app.focused is tile(on, 4)
        await on.press("tab", "tab", "enter")
        assert on.app.screen is on.app.dashboard
        assert on.app.dashboard.current == RUN["cpu/syscount"]
        assert "z tiles" in on.see(KeyLine)
        assert on.one(TableGrid).count == 1
        await on.press("z")
        assert isinstance(on.app.screen, Tiles)
        await on.press("escape")
        assert isinstance(on.app.screen, Dashboard)
        assert loads(on) == ["cpu/runqlat", "cpu/syscount", "lab/null-deref"]


async def test_keys_of_the_probe_itself_say_where_they_work(stage: Open) -> None:
    async with stage(CATALOG, options=OPEN) as on:
        before = len(on.told())
        await on.press("F")
        told = on.told()[before:]
        assert told == ["Enter opens the probe; there f filters its rows, and F searches a flame graph"]


async def test_the_search_of_the_catalog_is_reached_from_the_tiles(stage: Open) -> None:
    async with stage(CATALOG, options=OPEN) as on:
        await on.press("slash", *"sysc")
        assert on.app.screen is on.app.dashboard
        assert on.one(CatalogPanel).search.value == "sysc"
        await on.press("enter")
        assert on.app.dashboard.current == RUN["cpu/syscount"]


async def test_escape_goes_from_an_enlarged_tile_back_to_the_tiles(stage: Open) -> None:
    async with stage(CATALOG, options=OPEN) as on:
        await on.play(PEOPLE, calls(1, {1: 5}, {"openat": 11}))
        await on.press("right", "enter")
        assert on.app.focused is on.one(TableGrid)
        await on.press("down", "escape")
        assert on.app.screen is on.app.dashboard
        await on.press("escape")
        assert isinstance(on.app.screen, Tiles)
        await on.press("escape")
        assert on.app.screen is on.app.dashboard


async def test_a_click_chooses_and_a_double_click_zooms(stage: Open) -> None:
    async with stage(CATALOG, options=OPEN) as on:
        await on.pilot.click(tile(on, 1), offset=(9, 0))
        await on.settle()
        assert on.app.focused is tile(on, 1)
        await on.pilot.click(tile(on, 1), offset=(9, 0), times=2)
        await on.settle()
        assert on.app.dashboard.current == RUN["cpu/syscount"]


async def test_d_detaches_and_enter_loads_again(stage: Open) -> None:
    async with stage(CATALOG, options=OPEN) as on:
        await on.press("d")
        assert on.source.requests[-1] == Detach(run=RUN["cpu/runqlat"])
        await on.play(Detached(run=RUN["cpu/runqlat"]))
        assert title(on, 0).startswith("✗ runqlat")
        await on.press("enter")
        assert loads(on)[-1] == "cpu/runqlat"


async def test_space_holds_the_tiles_still(stage: Open) -> None:
    async with stage(CATALOG, options=OPEN) as on:
        await on.play(PEOPLE, calls(1, {1: 5}, {"openat": 11}))
        await on.press("space")
        assert "‖ paused" in on.see(HeaderLine)
        await on.play(calls(2, {1: 5}, {"openat": 24, "read": 1}))
        assert table(on).rows.count == 1
        await on.press("space")
        assert table(on).rows.count == 2


async def test_a_playbook_that_is_opened_while_the_screen_is_paused_says_how_to_see_it(stage: Open) -> None:
    async with stage(CATALOG, PEOPLE, options=Options(auto_load=[("cpu/syscount", {})])) as on:
        await on.play(calls(1, {1: 5}), calls(2, {1: 9}))
        told = "the screen is paused: a new probe shows nothing until you press 0 to go live"
        assert told not in on.told()
        await on.press("space", "slash", *"tiny", "enter")
        assert told in on.told()
        await on.press("0")
        await on.play(latencies(1, {1: {5_000: 100}}), latencies(2, {1: {5_000: 300}}))
        assert "no data yet" not in on.see(HistogramBars)


async def test_at_80_columns_one_tile_is_shown_and_the_others_are_tabs(stage: Open) -> None:
    async with stage(CATALOG, options=OPEN, size=(80, 24)) as on:
        shown = [each.at for each in on.app.screen.query(Tile) if each.display]
        assert shown == [0]
        assert tile(on, 0).size.height > 15
        names = [tab.name for tab in on.one(RunTabs).tabs]
        assert names == ["runqlat", "syscount", "vfsstat", "null-deref", "nowhere"]
        await on.press("tab", "tab")
        assert [each.at for each in on.app.screen.query(Tile) if each.display] == [2]
        assert on.app.focused is tile(on, 2)
        await on.pilot.resize_terminal(120, 36)
        await on.settle()
        assert all(each.display for each in on.app.screen.query(Tile))


async def test_help_tells_the_keys_of_tiles(stage: Open) -> None:
    async with stage(CATALOG, options=OPEN) as on:
        await on.press("question_mark")
        told = "\n".join(str(each.render()) for each in on.app.screen.query(Static))
    assert "Open the tile's probe" in told


async def test_an_ended_collector_is_told_over_the_tiles(stage: Open) -> None:
    async with stage(CATALOG, options=OPEN, can_restart=True) as on:
        on.source.end("the collector has ended")
        await on.settle()
        assert "R restarts" in str(on.app.screen.banner.render())
        await on.press("R")
        assert on.source.restarts == 1


async def test_hostile_playbooks_are_inert(stage: Open) -> None:
    evil = PlaybookInfo(name="\x1b[2J", title="[bold]t[/]", summary="\x07", steps=[step("cpu/\x9b1m", "[red]?\x1b")])
    async with stage(Catalog(probes=list(PROBES), playbooks=[evil]), options=Options(playbook=evil.name)) as on:
        assert isinstance(on.app.screen, Tiles)
        shown = str(tile(on, 0).border_title) + str(on.app.screen.query_one("#title", Static).render())
    assert "[red]?\\x1b" in shown
    assert "[bold]t[/]" in shown
    assert not any(c in shown for c in "\x07\x1b\x9b")


async def test_on_a_tape_tiles_show_what_it_holds(stage: Open) -> None:
    run = loaded(9, "cpu/syscount", BY_PROCESS, BY_CALL, params={"pid": "7"})
    async with stage(CATALOG, run, options=OPEN, live=False) as on:
        assert loads(on) == []
        assert title(on, 1).startswith("● syscount")
        assert why(on, 0) == "the tape has no data for this probe"


@pytest.mark.parametrize("tiles", range(1, 17))
@pytest.mark.parametrize(("width", "height"), [(60, 11), (80, 20), (112, 33), (120, 33), (200, 57), (400, 120)])
def test_tiles_never_get_too_small_and_every_one_is_on_a_page(tiles: int, width: int, height: int) -> None:
    columns, rows = arrangement(tiles, width, height)
    assert columns == rows == 1 or (width // columns >= LEAST_WIDTH and height // rows >= LEAST_HEIGHT)
    pages = {page(tiles, current, columns * rows) for current in range(tiles)}
    assert sorted(at for each in pages for at in each) == list(range(tiles))
    assert all(current in page(tiles, current, columns * rows) for current in range(tiles))


def test_tiles_are_wide_where_there_is_height() -> None:
    assert arrangement(8, 80, 20) == (1, 1)
    assert arrangement(8, 120, 33) == (2, 4)
    assert arrangement(6, 120, 33) == (2, 3)
    assert arrangement(8, 200, 57) == (2, 4)
    assert arrangement(12, 200, 57) == (3, 4)


async def test_a_tile_leaves_ebpftop_out_and_says_so(stage: Open) -> None:
    playbook = PlaybookInfo(
        name="calls", title="Calls", summary="Who.", steps=[step("cpu/syscount", "Who?", view="by process")]
    )
    own = processes(process(1, "postgres"), process(7, "collect", own=True))
    first = Catalog(probes=list(PROBES), playbooks=[playbook])
    async with stage(first=first, options=Options(playbook="calls")) as on:
        await on.play(own, calls(1, {1: 10, 7: 500}), calls(2, {1: 15, 7: 569}))
        table, tile = on.one(TableGrid), on.one(Tile)
        assert table.count == 1
        assert "without ebpftop's own 69/s (M)" in str(tile.border_subtitle)
        await on.press("M")
        assert table.count == 2
        assert "own" not in str(tile.border_subtitle)
