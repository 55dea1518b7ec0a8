"""The first screen: "What is wrong?", answered by keys or mouse, and out of the way where it isn't wanted."""

from __future__ import annotations

import pytest

from ebpftop.frames.messages import Catalog, Load, PlaybookInfo, StepInfo
from ebpftop.ui.app.options import Options
from ebpftop.ui.screens.tiles import Tiles
from ebpftop.ui.widgets.about import About
from ebpftop.ui.widgets.catalog import CatalogPanel, CatalogTree
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.runs import RunTabs
from ebpftop.ui.widgets.start import Start
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.ui.conftest import Open, Stage
from tests.ui.probes import PROBES

UNKNOWN = PlaybookInfo(
    name="first-minute",
    title="Nobody knows yet",
    summary="A look around.",
    steps=[
        StepInfo(probe="cpu/syscount", question="Who makes calls?"),
        StepInfo(probe="cpu/runqlat", question="Who waits?"),
    ],
)
SLOW = PlaybookInfo(
    name="slow", title="It is slow", summary="Why.", steps=[StepInfo(probe="cpu/runqlat", question="Is it the CPU?")]
)
ONE = PlaybookInfo(name="one", title="One process", summary="Its page has it.", steps=SLOW.steps, of_process=True)
CATALOG = Catalog(probes=list(PROBES), playbooks=[UNKNOWN, ONE, SLOW])


def loads(on: Stage) -> list[str]:
    return [request.probe for request in on.source.requests if isinstance(request, Load)]


def lines(on: Stage) -> list[str]:
    """What the first screen shows inside its rim."""
    start = on.one(Start)
    return [start.render_line(y).text.rstrip() for y in range(start.size.height)]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 45)])
async def test_it_asks_and_the_first_playbook_is_chosen(stage: Open, size: tuple[int, int]) -> None:
    async with stage(first=CATALOG, size=size) as on:
        start = on.one(Start)
        assert start.display
        assert start.region.width >= 70
        assert start.border_title == "What is wrong?"
        assert lines(on)[:7] == [
            " ≡ Nobody knows yet   first-minute",
            " ≡ It is slow         slow",
            "",
            " A look around.",
            " Who makes calls?   syscount",
            " Who waits?         runqlat",
            "",
        ]
        assert not on.one(About).display
        assert "Enter open" in on.see(KeyLine)
        await on.press("enter")
        assert isinstance(on.app.screen, Tiles)
        assert loads(on) == ["cpu/syscount", "cpu/runqlat"]


async def test_arrows_choose_another_answer(stage: Open) -> None:
    async with stage(first=CATALOG) as on:
        await on.press("down", "down")
        assert lines(on)[3:5] == [" Why.", " Is it the CPU?   runqlat"]
        await on.press("enter")
        assert loads(on) == ["cpu/runqlat"]


async def test_a_click_chooses_and_a_double_click_opens(stage: Open) -> None:
    async with stage(first=CATALOG) as on:
        await on.pilot.click(Start, offset=(6, 2))
        await on.settle()
        assert on.one(Start).cursor == 1
        assert loads(on) == []
        await on.pilot.click(Start, offset=(6, 2), times=2)
        await on.settle()
        assert loads(on) == ["cpu/runqlat"]


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_tab_and_search_lead_to_the_catalog_and_escape_back(stage: Open, size: tuple[int, int]) -> None:
    async with stage(first=CATALOG, size=size) as on:
        await on.press("tab")
        assert on.app.focused is on.one(CatalogTree)
        assert on.one(CatalogPanel).region.width > 0
        assert not on.one(Start).display
        await on.press("escape")
        assert on.one(Start).display
        assert on.app.focused is on.one(Start)
        await on.press("slash", *"runq")
        assert not on.one(Start).display
        await on.press("escape", "escape")
        assert on.app.focused is on.one(Start)
        await on.press("slash", *"syscount", "enter")
        assert not on.one(Start).display
        assert [tab.name for tab in on.one(RunTabs).tabs] == ["syscount"]
        assert on.app.focused is on.one(TableGrid)
        await on.press("escape")
        assert on.app.focused is on.one(CatalogTree)


async def test_a_click_into_the_catalog_shows_the_entry(stage: Open) -> None:
    async with stage(first=CATALOG) as on:
        await on.pilot.click(CatalogTree, offset=(6, 4))
        await on.settle()
        assert not on.one(Start).display
        assert on.one(About).display


async def test_after_the_playbook_the_dashboard_shows_its_probes(stage: Open) -> None:
    async with stage(first=CATALOG) as on:
        await on.press("enter", "escape")
        assert on.app.screen is on.app.dashboard
        assert not on.one(Start).display
        assert [tab.name for tab in on.one(RunTabs).tabs] == ["syscount", "runqlat"]
        assert on.app.focused is on.one(CatalogTree)


async def test_what_is_loaded_from_the_command_line_needs_no_question(stage: Open) -> None:
    async with stage(first=CATALOG, options=Options(auto_load=[("cpu/syscount", {})])) as on:
        assert not on.one(Start).display
        assert [tab.name for tab in on.one(RunTabs).tabs] == ["syscount"]


async def test_without_playbooks_and_on_a_tape_the_catalog_is_first(stage: Open) -> None:
    async with stage() as on:
        assert on.app.focused is on.one(CatalogTree)
        assert not on.one(Start).display
    async with stage(first=CATALOG, live=False) as on:
        assert on.app.focused is on.one(CatalogTree)
        assert not on.one(Start).display


async def test_enter_before_the_catalog_is_there_says_so(stage: Open) -> None:
    start = Start()
    async with stage() as on:
        await on.app.screen.mount(start)
        start.action_open()
        await on.settle()
        assert "reading the catalog" in start.render_line(0).text
        assert on.told() == ["reading the catalog…"]


async def test_hostile_answers_are_inert(stage: Open) -> None:
    evil = PlaybookInfo(name="\x1b[2J", title="[bold]t[/]", summary="\x07", steps=[])
    async with stage(first=Catalog(probes=list(PROBES), playbooks=[evil])) as on:
        shown = "\n".join(lines(on))
    assert "[bold]t[/]" in shown
    assert not any(c in shown for c in "\x07\x1b")
