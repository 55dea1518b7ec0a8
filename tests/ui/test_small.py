"""A terminal that is too small: a notice hides the screens, which go on unseen and are there when it grows."""

from __future__ import annotations

import asyncio

import pytest
from textual.events import MouseDown, Resize
from textual.geometry import Size

from ebpftop.frames.messages import Catalog, Loading, PlaybookInfo, StepInfo
from ebpftop.ui.app.options import Options
from ebpftop.ui.messages import PlayAsked, ProcessAsked
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.help import HelpScreen
from ebpftop.ui.screens.parameters import ParameterForm
from ebpftop.ui.screens.process import ProcessScreen
from ebpftop.ui.screens.tiles import Tiles
from ebpftop.ui.screens.verifier import VerifierScreen
from ebpftop.ui.widgets.catalog import CatalogPanel
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support.frames import process, processes, rejected
from tests.ui.conftest import Open, Stage
from tests.ui.probes import PROBES, RUN, calls

CALLS = Options(auto_load=[("cpu/syscount", {})])
PLAYBOOK = PlaybookInfo(name="one", title="One", summary="x", steps=[StepInfo(probe="cpu/runqlat", question="Why?")])
SMALL, LARGE = (59, 20), (120, 36)


async def resize(on: Stage, size: tuple[int, int]) -> None:
    await on.pilot.resize_terminal(*size)
    await on.settle()


def stack(on: Stage) -> list[type]:
    """The kinds of the screens, without Textual's own at the bottom."""
    return [type(screen) for screen in on.app.screen_stack[1:]]


def paintings(on: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is painted from now on, as it goes to the terminal."""
    painted: list[str] = []
    monkeypatch.setattr(on.app, "paint", lambda screen, update: painted.append(update.render_segments(on.app.console)))
    return painted


@pytest.mark.parametrize("size", [SMALL, (60, 14), (1, 1), (500, 1)])
async def test_it_is_told_and_the_screens_keep_the_least_room(stage: Open, size: tuple[int, int]) -> None:
    async with stage(options=CALLS) as on:
        await resize(on, size)
        assert on.app.too_small == f"▲ {size[0]}×{size[1]} is too small: ebpftop needs 60×15"
        assert on.app.screen.size == Size(max(size[0], 60), max(size[1], 15))
        await on.play(calls(1, {1: 1}))
        await resize(on, (80, 24))
        assert on.app.too_small == ""
        assert on.app.screen.size == Size(80, 24)
        assert on.one(TableGrid).rows.count == 1


async def test_nothing_but_the_notice_is_painted(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(options=CALLS) as on:
        painted = paintings(on, monkeypatch)
        await resize(on, SMALL)
        on.app.screen.refresh()
        await on.play(calls(1, {1: 1}))
        assert len(painted) == 1
        assert "59×20 is too small" in painted[0]
        await resize(on, SMALL)  # as after Ctrl-Z
        assert len(painted) == 2
        await resize(on, (60, 20))  # the size that the screens have already
        assert len(painted) > 2
        assert "web-03" in "".join(painted[2:])


@pytest.mark.parametrize("size", [(120, 60), (80, 24)])
async def test_what_waits_to_be_painted_is_painted_before_the_layout_for_a_new_size(
    stage: Open, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    async with stage() as on:
        painted = paintings(on, monkeypatch)
        await on.app.on_event(Resize(Size(*size), Size(*size)))
        on.app.withhold_all()
        await on.app.go_on()
        on.app._paint_withheld()
        assert painted


async def test_a_terminal_that_is_too_small_at_the_start_gets_its_screen_later(stage: Open) -> None:
    async with stage(size=(20, 5)) as on:
        assert on.app.too_small
        await resize(on, (80, 24))
        assert on.app.screen.size == Size(80, 24)
        assert on.one(CatalogPanel).region.width == 80


async def test_a_screen_that_opens_meanwhile_is_there_afterwards(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(processes(process(1, "postgres")), calls(1, {1: 1}))
        await resize(on, SMALL)
        on.app.post_message(ProcessAsked(1))
        await on.settle()
        await resize(on, LARGE)
        assert stack(on) == [Dashboard, ProcessScreen]
        await on.press("escape")
        assert stack(on) == [Dashboard]


async def test_a_form_closes_meanwhile_when_its_load_begins(stage: Open) -> None:
    async with stage(answer=lambda request: []) as on:
        await on.press("slash", *"runqlat", "escape", "p", *"7", "enter")
        assert stack(on) == [Dashboard, ParameterForm]
        await resize(on, SMALL)
        await on.play(Loading(run=1, probe="cpu/runqlat", params={"pid": "7"}, stage="types"))
        assert stack(on) == [Dashboard]
        await resize(on, LARGE)
        assert stack(on) == [Dashboard]


async def test_a_failure_takes_the_place_of_the_form_that_led_to_it(stage: Open) -> None:
    async with stage(answer=lambda request: []) as on:
        await on.press("slash", *"null-deref", "enter")
        await on.play(rejected(RUN["lab/null-deref"], "lab/null-deref"))
        assert stack(on) == [Dashboard, VerifierScreen]
        await resize(on, SMALL)
        on.app.workbench.show_failure(on.app.feed.session.runs[RUN["lab/null-deref"]])
        await on.settle()
        assert stack(on) == [Dashboard, VerifierScreen]
        await resize(on, LARGE)
        await on.press("v")
        assert stack(on) == [Dashboard]


async def test_tiles_close_meanwhile(stage: Open) -> None:
    async with stage(first=Catalog(probes=list(PROBES), playbooks=[PLAYBOOK])) as on:
        on.app.post_message(PlayAsked(PLAYBOOK.name))
        await on.settle()
        assert stack(on) == [Dashboard, Tiles]
        await resize(on, SMALL)
        on.app.action_tiles()
        await on.settle()
        assert stack(on) == [Dashboard]


async def test_keys_whose_effect_nobody_could_see_do_nothing(stage: Open) -> None:
    async with stage() as on:
        await on.press("slash")
        await resize(on, SMALL)
        await on.press("x", "escape", "question_mark", "A", "ctrl+p")
        on.app.post_message(MouseDown(None, 60, 12, 0, 0, 1, False, False, False))
        await resize(on, LARGE)
        assert on.one(CatalogPanel).search.value == ""
        assert on.one(CatalogPanel).search.has_focus
        assert stack(on) == [Dashboard]
        await on.press("escape", "question_mark")
        assert stack(on) == [Dashboard, HelpScreen]
        await resize(on, SMALL)
        await on.press("q")
        assert not on.app.is_running


async def test_a_crash_ends_it(stage: Open) -> None:
    def crash() -> None:
        raise RuntimeError("a fault")

    async def used() -> None:
        async with stage() as on:
            await resize(on, SMALL)
            on.app.screen.call_later(crash)
            await on.app._exception_event.wait()

    with pytest.raises(RuntimeError, match="a fault"):
        await asyncio.wait_for(used(), 30)
