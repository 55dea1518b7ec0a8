"""The application around the views: help, palette, size, themes, the end of a stream, tapes."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil

import pytest
from rich.cells import cell_len
from textual.binding import Binding
from textual.command import CommandList, CommandPalette, DiscoveryHit
from textual.containers import VerticalScroll
from textual.events import Event, Key, MouseDown, Paste
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

import ebpftop.ui
from ebpftop.catalog.settings import Settings
from ebpftop.frames.messages import AccountRunTimes, Detached, Host, Load, Notice, Refused
from ebpftop.ui.app.app import EbpftopApp
from ebpftop.ui.app.guide import groups
from ebpftop.ui.app.options import Options
from ebpftop.ui.app.palette import Commands, Palette
from ebpftop.ui.drawing.theme import DARK, LIGHT
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.export import ExportScreen
from ebpftop.ui.screens.help import COLUMN, HelpScreen, keys_of
from ebpftop.ui.screens.leaving import Dialog
from ebpftop.ui.screens.row import RowScreen
from ebpftop.ui.widgets.banner import Banner
from ebpftop.ui.widgets.catalog import CatalogPanel
from ebpftop.ui.widgets.header import HeaderLine, HeaderState, _ours
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.menu import Menu
from ebpftop.ui.widgets.runs import RunTabs
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support.frames import EPOCH, catalog, hello
from tests.support.script import Script
from tests.ui.conftest import Open
from tests.ui.probes import PROBES, RUN, calls

CALLS = Options(auto_load=[("cpu/syscount", {})])


async def test_the_header_tells_of_the_machine(stage: Open) -> None:
    async with stage(size=(160, 40)) as on:
        await on.play(Host(realtime_ns=EPOCH, cpu_percent=43.2, memory_percent=61.0, load=3.14))
        shown = on.see(HeaderLine)
    for words in ("ebpftop", "web-03", "Linux 6.12.0", "8 cpus", "43%", "mem 61%", "load 3.1", "● live 1 s"):
        assert words in shown


async def test_the_header_sums_what_probes_and_ebpftop_cost(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    spent = iter((1.0, 1.02, 1.3))
    clock = iter((10.0, 11.0, 12.0))
    monkeypatch.setattr("ebpftop.ui.feed.feed.process_time", lambda: next(spent))
    monkeypatch.setattr("ebpftop.ui.feed.feed.monotonic", lambda: next(clock))
    async with stage(size=(160, 40)) as on:
        await on.play(_host(0, 0))
        assert "ebpftop" not in on.see(HeaderLine).split("web-03")[1]
        await on.play(_host(1, 10_000_000))
        assert "3% ebpftop" in on.see(HeaderLine)
        await on.play(_host(2, 40_000_000))  # 0.04 s of the collector and 0.3 s of this process, in 2 s
        assert "17% ebpftop" in on.see(HeaderLine)
        assert "17% ebpftop" in {span for span in _coloured(on.one(HeaderLine), "$warning")}


async def test_a_recorded_load_without_our_cost_shows_none(stage: Open) -> None:
    async with stage(size=(160, 40)) as on:
        for second in range(2):
            await on.play(Host(realtime_ns=EPOCH + second * 10**9, cpu_percent=1, memory_percent=1, load=1))
        assert "ebpftop" not in on.see(HeaderLine).split("web-03")[1]


@pytest.mark.parametrize(("probes", "own", "style"), [(3.0, 1.9, ""), (3.0, 2.0, "warning"), (23.0, 2.0, "error")])
def test_what_the_header_colours(probes: float, own: float, style: str) -> None:
    (shown,) = (each for each in _ours(HeaderState(cost=probes, own=own)) if "probes" in each.content.plain)
    assert shown.content.plain == f"{probes:.0f}% probes · {own:.1f}% ebpftop".replace(".0%", "%")
    assert [style] == [str(span.style).removeprefix("bold $") for span in shown.content.spans] or not style


def _host(second: int, own_ns: int) -> Host:
    return Host(realtime_ns=EPOCH + second * 10**9, cpu_percent=1, memory_percent=1, load=1, own_ns=own_ns)


def _coloured(header: HeaderLine, style: str) -> list[str]:
    content = header.words()
    return [content.plain[span.start : span.end] for span in content.spans if style in str(span.style)]


async def test_statistics_are_requested_for_and_switched_by_c(stage: Open) -> None:
    async with stage() as on:
        assert on.source.requests == [AccountRunTimes(on=True)]
        await on.press("c")
        assert on.source.requests[-1] == AccountRunTimes(on=False)
        assert on.told() == ["no longer measuring what the programs cost; without that, no budget applies"]


async def test_a_dialog_is_left_once_however_often_its_key_came(stage: Open) -> None:
    async with stage() as on:
        before = list(on.app.screen_stack)
        await on.press("question_mark")
        dialog = on.app.screen
        assert isinstance(dialog, HelpScreen)
        dialog.dismiss(None)
        dialog.dismiss(None)
        await on.press("left")
        assert on.app.screen_stack == before


async def test_help_lists_every_binding_and_needs_no_scrolling_on_a_large_terminal(stage: Open) -> None:
    async with stage(size=(120, 60)) as on:
        await on.press("question_mark")
        screen = on.app.screen
        assert isinstance(screen, HelpScreen)
        assert screen.query_one(VerticalScroll).max_scroll_y == 0
        lines = [line for each in screen.query("Static") for line in str(each.render()).splitlines()]
        assert all(cell_len(line) <= COLUMN for line in lines), "none is wrapped once more"
        told = " ".join(" ".join(lines).split())
        for group, bindings in screen.groups:
            assert group in told
            for binding in bindings:
                assert set(keys_of([binding], on.app).split()) <= set(told.split())
                alike = [each for each in bindings if each.action.split("(")[0] == binding.action.split("(")[0]]
                words = [each.tooltip or each.description for each in alike]
                assert any(each and each[1:] in told for each in words) or not any(words)  # its key stands elsewhere
        assert "Both: amber from 5%, red from 25%" in told
        await on.press("escape")
        assert isinstance(on.app.screen, Dashboard)
        await on.press("f1")
        assert isinstance(on.app.screen, HelpScreen)


def test_help_knows_the_bindings_of_all_that_has_some() -> None:
    for module in pkgutil.walk_packages(ebpftop.ui.__path__, "ebpftop.ui."):
        importlib.import_module(module.name)
    documented = {id(binding) for _, bindings in groups(EbpftopApp.BINDINGS) for binding in bindings}
    ours = [
        kind for kind in _subclasses(object) if kind.__module__.startswith("ebpftop.ui") and "BINDINGS" in vars(kind)
    ]
    missing = [
        kind.__name__
        for kind in ours
        if not documented.issuperset(map(id, kind.BINDINGS)) and kind not in (HelpScreen, RowScreen, Dialog)
    ]
    assert missing == []


def test_what_a_key_does_stands_once_in_each_part_of_the_help() -> None:
    for title, bindings in groups(EbpftopApp.BINDINGS):
        does = [(key, each.action) for each in bindings if isinstance(each, Binding) for key in each.key.split(",")]
        assert [each for each in does if does.count(each) > 1] == [], title


def _subclasses(kind: type) -> list[type]:
    from textual.app import App
    from textual.dom import DOMNode

    found: list[type] = []
    todo: list[type] = [DOMNode, App]
    while todo:
        each = todo.pop()
        found.append(each)
        todo += each.__subclasses__()
    return found


async def test_the_palette_offers_every_probe_and_action(stage: Open) -> None:
    async with stage() as on:
        await on.press("ctrl+p")
        assert isinstance(on.app.screen, CommandPalette)
        await on.press("escape")
        hits = [hit.text async for hit in Commands(on.app.screen).discover()]
    assert {f"load {info.id}" for info in PROBES} <= set(hits)
    assert {"search", "pause", "quit", "help", "light/dark"} <= set(hits)


async def test_the_palette_runs_a_command_once_however_often_it_is_chosen(stage: Open) -> None:
    ran: list[str] = []
    async with stage() as on:
        await on.press("ctrl+p")
        palette = on.app.screen
        assert isinstance(palette, Palette)
        palette._selected_command = DiscoveryHit("one", lambda: ran.append("one"))
        palette._list_visible = False
        palette._select_or_command()
        palette._select_or_command()
        palette._action_command_list("select")
        palette._action_escape()
        await on.settle()
        assert isinstance(on.app.screen, Dashboard)
    assert ran == ["one"]


async def test_the_palette_offers_no_keys_of_the_toolkit(stage: Open) -> None:
    async with stage() as on:
        await on.press("slash", "ctrl+p")
        hits = [hit.text async for hit in Commands(on.app.screen).discover()]
    assert not [text for text in hits if text is not None and text.startswith("Move cursor")]


async def test_a_dialog_that_another_screen_has_covered_closes_neither(stage: Open) -> None:
    async with stage() as on:
        await on.press("E")
        below = on.app.screen
        assert isinstance(below, ExportScreen)
        await on.app.push_screen(RowScreen("what came in front", []))
        above = on.app.screen
        below.dismiss()
        below.dismiss()
        await on.settle()
        assert on.app.screen is above
        await on.press("escape")
        assert on.app.screen is below
        await on.press("escape")
        assert isinstance(on.app.screen, Dashboard)


@pytest.mark.parametrize("keys", ["E", "m", "r", "question_mark", "ctrl+p", "slash r u n q l a t escape p"])
async def test_control_q_ends_it_from_every_dialog(stage: Open, keys: str) -> None:
    async with stage() as on:
        await on.press(*keys.split())
        assert isinstance(on.app.screen, ModalScreen)
        await on.press("ctrl+q")
        assert on.app.return_code == 0


@pytest.mark.parametrize("kind", [Menu, CommandList])
async def test_a_list_that_is_not_laid_out_yet_turns_no_page(stage: Open, kind: type[OptionList]) -> None:
    async with stage() as on:
        await on.press("E" if kind is Menu else "ctrl+p")
        listed, screen = on.app.screen.query_one(kind), on.app.screen
        listed.display = False
        await on.settle()
        listed.clear_options()
        listed.add_option("read")
        listed.highlighted = 0
        if isinstance(screen, Palette):
            screen._action_command_list("page_up")
        else:
            listed.action_page_up()


async def test_at_80_columns_tab_turns_from_catalog_to_probe(stage: Open) -> None:
    async with stage(size=(80, 24)) as on:
        panel, right = on.one(CatalogPanel), on.app.screen.query_one("#right")
        assert (panel.region.width, right.region.width) == (80, 0)
        await on.press("tab")
        assert (panel.region.width, right.region.width) == (0, 80)
        await on.press("tab")
        assert (panel.region.width, right.region.width) == (80, 0)


async def test_at_80_columns_five_keys_are_told(stage: Open) -> None:
    async with stage(size=(80, 24)) as on:
        assert on.see(KeyLine).strip().split("   ") == ["Enter load", "p parameters", "Tab next", "q quit", "? help"]


async def test_at_80_columns_the_focus_goes_where_the_probe_is_shown(stage: Open) -> None:
    async with stage(size=(80, 24)) as on:
        await on.press("slash", *"syscount", "enter")
        await on.play(calls(1, {1: 5, 2: 7}))
        assert on.app.focused is on.one(TableGrid)
        assert "s sort" in on.see(KeyLine)
        await on.press("slash")
        assert on.app.focused is on.one(CatalogPanel).search
        await on.play(calls(2, {1: 5, 2: 9}))
        assert on.app.focused is on.one(CatalogPanel).search


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (120, 36), (200, 60)])
async def test_every_line_fits_its_widget(stage: Open, size: tuple[int, int]) -> None:
    async with stage(size=size, options=CALLS) as on:
        await on.play(calls(1, {number: number for number in range(1, 99)}))
        for widget in on.app.screen.query("HeaderLine, KeyLine, RunTabs, StatusLine, CatalogTree, TableGrid"):
            for y in range(widget.size.height):
                assert widget.render_line(y).cell_length <= widget.size.width


async def test_both_themes_are_ours_and_t_turns_them(stage: Open) -> None:
    async with stage() as on:
        assert sorted(on.app.available_themes) == [DARK.name, LIGHT.name]
        await on.press("T")
        assert on.app.theme == LIGHT.name
        assert not on.app.current_theme.dark


async def test_settings_choose_the_theme_and_their_mistakes_are_told(stage: Open) -> None:
    problems = [f"/x/config.toml:{line}: [bold]: wrong" for line in range(1, 6)]
    async with stage(options=Options(interval=0.5, settings=Settings(theme="light", problems=tuple(problems)))) as on:
        assert on.app.theme == LIGHT.name
        assert on.app.feed.interval == 0.5
        told = on.told()
        assert told == [*problems[:3], "and 2 more in the settings"]


async def test_without_colour_nothing_is_coloured(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage(options=CALLS) as on:
        await on.play(calls(1, {1: 5}))
        await on.press("tab", "down")
        styled = [segment.style for line in _filtered(on.app) for segment in line if segment.style]
    assert styled
    assert all(style.color is None or style.color.is_default for style in styled)
    assert all(style.bgcolor is None or style.bgcolor.is_default for style in styled)
    assert any(style.reverse for style in styled)


def _filtered(app: EbpftopApp) -> list[list[object]]:
    """The table's lines as they go to the terminal."""
    table = app.screen.query_one(TableGrid)
    return [list(line) for line in table.render_lines(table.size.region)]


async def test_without_colour_what_is_chosen_in_a_list_is_underlined(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage(options=CALLS) as on:
        await on.play(calls(1, {1: 3}))
        await on.press("B")
        choices = on.app.screen.query_one(OptionList)
        lines = [choices.render_line(y) for y in range(2)]
        assert [any(style and style.underline for _, style, _ in line) for line in lines] == [True, False]


async def test_an_ended_collector_is_told_and_started_again(stage: Open) -> None:
    async with stage(options=CALLS, can_restart=True) as on:
        await on.play(calls(1, {1: 5}))
        on.source.end("the collector has ended")
        await on.settle()
        assert "✗ the collector has ended   R restarts   q quits" in on.see(Banner)
        assert on.one(RunTabs).tabs[0].note == "detached"
        assert "✗ ended" in on.see(HeaderLine)
        await on.press("R")
        assert on.source.restarts == 1
        requests = len(on.source.requests)
        await on.play(hello(), catalog(*PROBES))
        assert Load(request=2, probe="cpu/syscount") in on.source.requests[requests:]
        assert not on.one(Banner).has_class("-open")
        await on.play(calls(1, {1: 7, 2: 9}))
        assert on.one(RunTabs).tabs[0].sign == "●"
        assert on.one(TableGrid).count == 2


async def test_what_was_detached_is_not_loaded_again(stage: Open) -> None:
    async with stage(options=CALLS, can_restart=True) as on:
        await on.play(Detached(run=RUN["cpu/syscount"]))
        on.source.end("gone")
        await on.settle()
        await on.press("R")
        requests = len(on.source.requests)
        await on.play(hello(), catalog(*PROBES))
        assert on.source.requests[requests:] == [AccountRunTimes(on=True)]


async def test_d_closes_the_tab_of_a_probe_that_the_collector_took_along(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        on.source.end("gone")
        await on.settle()
        await on.press("d")
        assert on.one(RunTabs).tabs == ()


async def test_a_source_that_cannot_start_again_offers_nothing(stage: Open) -> None:
    async with stage() as on:
        on.source.end("the tape is torn")
        await on.settle()
        assert "✗ the tape is torn   q quits" in on.see(Banner)
        await on.press("R")
        assert on.source.restarts == 0


async def test_refusals_and_notices_are_told_inert(stage: Open) -> None:
    async with stage() as on:
        await on.play(Refused(error="no probe cpu/nope"), Notice(level="warning", text="[bold]\x1b[2Jx"))
        assert on.told() == ["no probe cpu/nope", "[bold]\\x1b[2Jx"]
        assert not any(each.markup for each in on.app._notifications)


async def test_a_source_without_requests_says_so(stage: Open) -> None:
    async with stage(live=False) as on:
        await on.press("slash", *"syscount", "enter")
        assert on.told() == ["a tape can't load or detach probes"]


async def test_leaving_closes_the_source(stage: Open) -> None:
    async with stage() as on:
        source: Script = on.source
        await on.press("q")
    assert source.closed


@pytest.mark.parametrize("worker", [False, True])
async def test_a_drawing_that_the_end_overtakes_is_no_fault(stage: Open, worker: bool) -> None:
    async with stage() as on:
        reached = asyncio.Event()

        async def overtaken() -> None:
            on.app.exit()
            reached.set()
            await on.app.dashboard.mount(VerticalScroll())

        if worker:
            on.app.run_worker(overtaken())
        else:
            on.app.call_later(overtaken)
        await reached.wait()
    assert on.app.failure is None
    assert on.app.return_code == 0


async def test_a_key_after_q_is_ignored(stage: Open) -> None:
    options = Options(auto_load=[("cpu/runqlat", {}), ("cpu/syscount", {})])
    async with stage(options=options) as on:
        current = on.app.dashboard.current
        on.app.exit()
        assert not await on.app.run_action("screen.tab(1)")
        assert on.app.dashboard.current == current
    assert on.app.failure is None
    assert on.app.return_code == 0


async def test_a_click_on_a_widget_that_was_just_removed_is_ignored(stage: Open) -> None:
    async with stage() as on:
        await on.press("question_mark")
        removed = next(each for each in on.app.screen.query(Static) if each.region.width > 1)
        place = removed.region.offset
        await removed.remove()
        assert on.app.get_widget_at(*place)[0] is removed
        await on.app.on_event(MouseDown(None, *place, 0, 0, 1, False, False, False, *place))
        await on.settle()
    assert on.app.failure is None


async def test_the_end_does_not_wait_for_keys_and_clicks(stage: Open) -> None:
    async with stage() as on:
        got: list[Event] = []
        on.app.screen._forward_event = got.append
        on.app.exit()
        for event in (Key("j", "j"), MouseDown(None, 5, 5, 0, 0, 1, False, False, False), Paste("x")):
            await on.app.on_event(event)
        assert got == []


async def test_after_a_failure_the_keys_that_wait_are_ignored_and_the_first_is_told(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(EbpftopApp, "action_others", lambda app: asked.append("A"))

    def fail(words: str) -> None:
        raise RuntimeError(words)

    async def keep_waiting(app: EbpftopApp) -> None:
        """Until a widget has failed: what is typed meanwhile comes before the end."""
        app.screen.query_one(HeaderLine).call_later(fail, "the first")
        key = Key("A", "A")
        key._set_forwarded()  # it comes back from the screen
        app.post_message(key)
        await app._exception_event.wait()
        app.screen.query_one(KeyLine).call_later(fail, "a later one")
        await asyncio.sleep(0.1)

    async def used() -> None:
        async with stage() as on:
            apps.append(on.app)
            await on.press("A")
            on.app.call_later(keep_waiting, on.app)
            while on.app.is_running:
                await asyncio.sleep(0.01)

    apps: list[EbpftopApp] = []
    with pytest.raises(RuntimeError, match="the first"):
        await used()
    assert asked == ["A"]
    assert str(apps[0].failure) == "the first"


async def test_keys_with_nothing_to_do_say_so(stage: Open) -> None:
    async with stage() as on:
        await on.press("v", "R", "ctrl+c")
        assert on.told() == [
            "no probe was rejected or detached; when one is, v shows why",
            "nothing to restart: the collector is running",
            "q detaches everything and quits; while typing, Ctrl-Q does",
        ]
        assert "verifier" not in on.see(KeyLine)


async def test_the_key_line_shows_the_keys_that_work_while_typing(stage: Open) -> None:
    async with stage() as on:
        assert "q quit" in on.see(KeyLine)
        await on.press("slash", "q")
        shown = on.see(KeyLine)
        assert on.one(CatalogPanel).search.value == "q"
        assert "Ctrl-Q quit" in shown
        assert "F1 help" in shown
        assert " q quit" not in shown
        assert "? help" not in shown
