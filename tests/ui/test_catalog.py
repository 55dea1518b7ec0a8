"""The catalog: what is listed, how it is searched, what a choice requests for."""

from __future__ import annotations

import pytest

from ebpftop.frames.messages import AccountRunTimes, Catalog, Load, Loading, ParamInfo, PlaybookInfo, Refused
from ebpftop.ui.screens.parameters import ParameterForm
from ebpftop.ui.widgets.about import About
from ebpftop.ui.widgets.catalog import CatalogPanel, CatalogTree
from ebpftop.ui.widgets.entries import sign
from ebpftop.ui.widgets.runs import RunTabs
from tests.support.frames import catalog, loaded, probe, rejected
from tests.ui.conftest import Open, seen
from tests.ui.probes import PROBES


async def test_probes_stand_under_their_category_with_sign_and_reason(stage: Open) -> None:
    async with stage() as on:
        lines = on.see(CatalogTree).split("\n")
    assert lines[0] == "▾ cpu"
    assert lines[1:4] == ["  ○ execsnoop", "  ○ runqlat", "  ○ syscount"]
    assert "  ✗ vfsstat  needs kprobes" in lines
    assert "  ? null-deref  ask root" in lines


async def test_where_the_catalog_has_room_each_name_has_its_question(stage: Open) -> None:
    async with stage(size=(80, 24)) as on:
        assert "  ○ runqlat  Is the CPU saturated?" in on.see(CatalogTree).split("\n")


async def test_search_narrows_as_one_types_and_escape_brings_all_back(stage: Open) -> None:
    async with stage() as on:
        await on.press("slash", *"satur")
        assert on.see(CatalogTree).strip().split("\n") == ["▾ cpu", "  ○ runqlat"]
        assert on.one(CatalogTree).chosen.id == "cpu/runqlat"
        await on.press("escape")
        assert "null-deref" in on.see(CatalogTree)
        assert on.app.focused is on.one(CatalogTree)


async def test_enter_loads_what_the_search_found(stage: Open) -> None:
    async with stage() as on:
        await on.press("slash", *"syscount", "enter")
        assert on.source.requests == [
            AccountRunTimes(on=True),
            Load(request=1, probe="cpu/syscount", params={}, interval=1.0),
        ]
        assert "● syscount" in on.see(CatalogTree)
        assert [tab.name for tab in on.one(RunTabs).tabs] == ["syscount"]


async def test_enter_on_a_running_probe_shows_it_and_loads_nothing(stage: Open) -> None:
    async with stage() as on:
        await on.press("slash", *"runqlat", "enter", "slash", *"syscount", "enter")
        assert on.one(RunTabs).current == 3
        await on.press("slash", *"runqlat", "enter")
        assert on.one(RunTabs).current == 2
        assert sum(isinstance(request, Load) for request in on.source.requests) == 2


async def test_enter_on_a_probe_that_is_being_loaded_loads_nothing_either(stage: Open) -> None:
    async with stage(answer=lambda request: []) as on:
        await on.press("slash", *"syscount", "enter")
        await on.press("slash", *"syscount", "enter")
        await on.play(Loading(run=1, probe="cpu/syscount", params={}, stage="types", request=1))
        await on.press("slash", *"syscount", "enter")
        assert sum(isinstance(request, Load) for request in on.source.requests) == 1
        assert on.one(RunTabs).current == 1


async def test_the_entry_of_a_probe_is_shown_while_nothing_runs(stage: Open) -> None:
    async with stage() as on:
        await on.press("slash", *"runqlat")
        told = on.one(About).description.plain
    assert "Is the CPU saturated?" in told
    assert "only this process" in told


async def test_a_category_folds_and_opens(stage: Open) -> None:
    async with stage() as on:
        await on.press("left")
        assert "runqlat" not in on.see(CatalogTree)
        await on.press("enter")
        assert "runqlat" in on.see(CatalogTree)


async def test_the_sum_of_signs_stands_below(stage: Open) -> None:
    async with stage() as on:
        assert str(on.one(CatalogPanel).border_subtitle) == "○ 3  ✗ 1  ? 1"


async def test_parameters_are_typed_into_a_form_and_a_refusal_is_told_at_its_field(stage: Open) -> None:
    def answer(request: object) -> list[object]:
        if not isinstance(request, Load):
            return []
        if "pid" in request.params and not request.params["pid"].isdigit():
            error = f"{request.probe}: pid: a number is expected, not {request.params['pid']!r}"
            return [Refused(request=request.request, error=error)]
        if request.params.get("which") == "none":
            return [Refused(request=request.request, error="the kernel is busy: no more")]
        return [Loading(run=9, probe=request.probe, params=request.params, stage="compile")]

    async with stage(answer=answer) as on:
        await on.press("slash", *"runqlat", "escape", "p")
        form = on.app.screen
        assert isinstance(form, ParameterForm)
        assert list(form.inputs) == ["pid", "which"]
        assert form.inputs["which"].placeholder == "all"
        await on.press("x", "tab", "enter")
        assert on.source.requests[-1] == Load(request=1, probe="cpu/runqlat", params={"pid": "x"})
        assert on.app.screen is form
        assert seen(form.errors["pid"]) == "✗ a number is expected, not 'x'"
        assert form.inputs["pid"].has_focus
        assert on.told() == []
        await on.press("backspace", *"4711", "tab", *"none", "enter")
        assert seen(form.errors["pid"]) == ""
        assert seen(form.errors[""]) == "✗ the kernel is busy: no more"
        await on.press(*["backspace"] * 4, "enter")
        assert on.source.requests[-1] == Load(request=3, probe="cpu/runqlat", params={"pid": "4711"})
        assert on.app.screen is on.app.dashboard
        assert [tab.name for tab in on.one(RunTabs).tabs] == ["runqlat"]


async def test_a_probe_that_has_to_be_told_what_to_trace_asks_for_it(stage: Open) -> None:
    function = ParamInfo(name="function", type="function", help="a name, or a pattern")
    asks = probe("application/funccount", asks=True, params=[function])
    async with stage(answer=lambda request: []) as on:
        await on.play(catalog(asks))
        await on.press("slash", *"funccount", "enter")
        form = on.app.screen
        assert isinstance(form, ParameterForm)
        assert not any(isinstance(request, Load) for request in on.source.requests)
        await on.press("enter")
        assert on.source.requests[-1] == Load(request=1, probe="application/funccount", params={})
        await on.press("enter")
        assert on.source.requests[-1].request == 1, "the first one has no answer yet"
        await on.play(Refused(request=1, error="application/funccount: function: nothing is set"))
        await on.press(*"vfs", "enter")
        assert on.source.requests[-1] == Load(request=2, probe="application/funccount", params={"function": "vfs"})


async def test_a_form_waits_for_its_own_load_and_not_for_another_one(stage: Open) -> None:
    async with stage(answer=lambda request: []) as on:
        await on.press("slash", *"runqlat", "enter", "p", *"7", "enter")
        await on.play(Loading(run=1, probe="cpu/runqlat", params={}, stage="types"))
        assert isinstance(on.app.screen, ParameterForm)
        await on.play(Loading(run=2, probe="cpu/runqlat", params={"pid": "7"}, stage="types"))
        assert on.app.screen is on.app.dashboard


async def test_a_request_refused_without_a_form_is_told_in_passing(stage: Open) -> None:
    refused = Refused(error="no")
    async with stage(answer=lambda request: [refused] if isinstance(request, Load) else []) as on:
        await on.press("slash", *"syscount", "enter")
        assert on.told() == ["no"]
        assert on.one(RunTabs).tabs == ()


async def test_a_probe_without_parameters_loads_at_once_also_by_p(stage: Open) -> None:
    async with stage() as on:
        await on.press("slash", *"syscount", "escape", "p")
        assert on.source.requests[-1] == Load(request=1, probe="cpu/syscount", params={})


async def test_hostile_catalog_text_is_inert(stage: Open) -> None:
    evil = probe("cpu/\x1b[2Jevil", title="[bold red]x[/]", summary="a\x07b", question="[link=x]?", available=None)
    async with stage() as on:
        await on.play(catalog(evil))
        assert "? \\x1b[2Jevil" in on.see(CatalogTree)
        told = on.one(About).description.plain
    assert "[bold red]x[/]" in told
    assert "a\\x07b" in told
    assert "\x1b" not in told


async def test_a_double_click_loads(stage: Open) -> None:
    async with stage() as on:
        await on.pilot.click(CatalogTree, offset=(6, 3), times=2)
        await on.settle()
        assert on.source.requests[-1] == Load(request=1, probe="cpu/syscount", params={})


async def test_a_click_on_a_tab_brings_its_probe(stage: Open) -> None:
    async with stage() as on:
        await on.press("slash", *"runqlat", "enter", "slash", *"syscount", "enter")
        assert on.one(RunTabs).current == 3
        await on.pilot.click(RunTabs, offset=(5, 0))
        await on.settle()
        assert on.one(RunTabs).current == 2


async def test_tabs_stand_in_the_order_of_the_requests_whichever_load_ends_first(stage: Open) -> None:
    async with stage() as on:
        await on.play(loaded(3, "cpu/syscount"), loaded(2, "cpu/runqlat"))
        assert [tab.name for tab in on.one(RunTabs).tabs] == ["runqlat", "syscount"]


PLAYBOOK = PlaybookInfo(name="cpu-saturated", title="CPU", summary="", steps=[])


async def test_the_best_match_of_a_search_comes_first(stage: Open) -> None:
    async with stage(Catalog(probes=list(PROBES), playbooks=[PLAYBOOK])) as on:
        await on.press("slash", *"saturated")
        assert on.see(CatalogTree).split("\n")[:2] == ["▾ playbooks", "  ≡ cpu-saturated  CPU"]
        assert on.one(CatalogTree).entry == PLAYBOOK
        assert "playbook cpu-saturated" in str(on.one(About).border_title)


async def test_a_search_without_a_match_says_what_to_try_and_enter_keeps_its_text(stage: Open) -> None:
    async with stage() as on:
        await on.press("slash", *"zzz", "enter")
        assert "nothing matches “zzz”" in on.see(CatalogTree)
        assert "Esc shows everything" in on.see(CatalogTree)
        assert on.one(CatalogPanel).search.value == "zzz"
        assert on.app.focused is on.one(CatalogPanel).search


async def test_the_entry_of_a_candidate_is_shown_while_searching_beside_a_run(stage: Open) -> None:
    async with stage() as on:
        await on.press("slash", *"syscount", "enter", "slash", *"runqlat")
        assert on.one(About).display
        assert "cpu/runqlat" in str(on.one(About).border_title)
        await on.press("escape")
        assert not on.one(About).display


async def test_enter_before_the_catalog_is_there_says_so(stage: Open) -> None:
    tree = CatalogTree()
    async with stage() as on:
        await on.app.screen.mount(tree)
        tree.action_load()
        await on.settle()
        assert "reading the catalog" in tree.render_line(0).text
        assert on.told() == ["reading the catalog…"]


@pytest.mark.parametrize(
    ("then", "loads"), [([], ["cpu/runqlat"]), (["backspace"], []), (["escape"], [])], ids=["nothing", "typed", "Esc"]
)
async def test_enter_in_the_search_before_the_catalog_is_there_says_so_and_loads_then(
    stage: Open, then: list[str], loads: list[str]
) -> None:
    panel = CatalogPanel()
    async with stage() as on:
        await on.app.screen.mount(panel)
        panel.search.focus()
        await on.press(*"runq", "enter")
        assert on.told() == ["reading the catalog…"]
        assert panel.search.value == "runq"
        assert panel.search.has_focus
        await on.press(*then)
        panel.show(catalog(*PROBES), {})
        await on.settle()
        assert [request.probe for request in on.source.requests if isinstance(request, Load)] == loads


async def test_a_failure_that_has_no_room_in_its_line_is_not_cut(stage: Open) -> None:
    failed = [rejected(9, "cpu/syscount", stage="compile"), rejected(8, "lab/null-deref", stage="compile")]
    failed.append(rejected(7, "lab/stack-too-big", stage="compile"))
    more = Catalog(probes=[*PROBES, probe("lab/stack-too-big")])
    async with stage(*failed, first=more) as on:
        lines = on.see(CatalogTree).split("\n")
    assert "  ✗ syscount  did not compile" in lines
    assert "  ✗ null-deref did not compile" in lines
    assert "  ✗ stack-too-big failed" in lines


def test_what_was_not_found_out_yet_is_not_said_to_need_root() -> None:
    assert sign(probe("cpu/x", available=None), None)[2] == "not known yet"
    assert sign(probe("cpu/x", available=None, reason="unknown without root"), None)[2] == "unknown without root"
