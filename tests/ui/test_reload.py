"""Saving a probe's file: it is loaded again, the old version runs until the new one does, and the change is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest

from ebpftop.frames.messages import AnyFrame, AnyRequest, Catalog, Detach, Load, Loading, Refused, Rejected
from ebpftop.ui.actions import editor
from ebpftop.ui.screens.copying import CopyScreen
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.failures import last_rejected
from ebpftop.ui.screens.verifier import VerifierScreen
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.lines import CodeLines
from ebpftop.ui.widgets.runs import RunTabs
from tests.support.frames import catalog, detached, loaded, probe, rejected
from tests.ui.conftest import Open, Stage
from tests.ui.probes import BY_PROCESS, NULL_C, NULL_LOG, NULL_PLACES, PROBES

FILE = "/home/ann/probes/mine/calls/probe.bpf.c"
MENDED = NULL_C.replace("    *count += 1;", "    if (count)\n        *count += 1;")
COMPLAINT = "R0 invalid mem access 'map_value_or_null'"


def saved(revision: str, source: str = NULL_C) -> Catalog:
    mine = msgspec.structs.replace(
        probe("mine/calls", [BY_PROCESS], title="Calls", source=source), file=FILE, revision=revision
    )
    return catalog(*PROBES, mine)


def accepts(run: int, request: Load) -> AnyFrame:
    return loaded(run, request.probe, BY_PROCESS, params=request.params)


def refuses(run: int, request: Load, complaint: str = COMPLAINT, line: int = 8) -> Rejected:
    places = [*NULL_PLACES[:-1], (5, 0, line)]
    log = NULL_LOG.replace(COMPLAINT, complaint)
    text = f"{NULL_C}// {run}"
    return rejected(run, request.probe, params=request.params, text=text, log=log, places=places)


def kernel(*outcomes: Callable[[int, Load], AnyFrame]) -> Callable[[AnyRequest], Iterable[AnyFrame]]:
    """A root side with these outcomes, one a load; runs are counted from 1."""
    runs = enumerate(outcomes, 1)

    def answer(request: AnyRequest) -> Iterable[AnyFrame]:
        if isinstance(request, Load):
            run, outcome = next(runs)
            yield Loading(run=run, probe=request.probe, params=request.params, stage="verify")
            yield outcome(run, request)
        elif isinstance(request, Detach):
            yield detached(request.run)

    return answer


def load_of(request: int) -> Load:
    return Load(request=request, probe="mine/calls")


async def load_mine(on: Stage) -> None:
    await on.press("slash", *"mine", "enter")


def requests(on: Stage) -> list[Load | Detach]:
    return [request for request in on.source.requests if isinstance(request, Load | Detach)]


def said(on: Stage) -> str:
    box = on.app.screen.query_one("#said")
    return "\n".join([str(box.border_title), *(box.render_line(y).text.rstrip() for y in range(box.size.height))])


async def test_the_old_version_runs_until_the_new_one_does(stage: Open) -> None:
    async with stage(saved("1"), answer=kernel(accepts, accepts)) as on:
        await load_mine(on)
        assert [tab.run for tab in on.one(RunTabs).tabs] == [1]
        await on.play(saved("2", MENDED))
        assert requests(on) == [load_of(1), load_of(2), Detach(run=1)]
        assert [tab.run for tab in on.one(RunTabs).tabs] == [2]
        assert on.one(RunTabs).current == 2
        assert on.told() == ["mine/calls: the saved version runs now"]


async def test_a_rejected_version_leaves_the_old_one_running(stage: Open) -> None:
    async with stage(saved("1"), answer=kernel(accepts, refuses, accepts)) as on:
        await load_mine(on)
        await on.play(saved("2"))
        assert isinstance(on.app.screen, Dashboard)
        assert [tab.run for tab in on.one(RunTabs).tabs] == [1]
        told = on.told()
        assert told == [f"mine/calls: rejected by the verifier: {COMPLAINT} (as saved)   v shows why"]
        await on.press("v")
        assert "before saving  ● it keeps running" in said(on)
        await on.play(saved("3", MENDED))
        assert requests(on)[1:] == [load_of(2), load_of(3), Detach(run=1)]
        await on.press("escape")
        assert [tab.run for tab in on.one(RunTabs).tabs] == [3]
        assert last_rejected(on.app.feed.session) is None


async def test_the_panel_shows_what_a_save_changed(stage: Open) -> None:
    def later(run: int, request: Load) -> AnyFrame:
        return refuses(run, request, complaint="math between map_value pointer and register", line=9)

    async with stage(saved("1"), answer=kernel(refuses, later, accepts, accepts)) as on:
        await load_mine(on)
        assert "before saving" not in said(on)
        await on.play(saved("2"))
        assert isinstance(on.app.screen, VerifierScreen)
        assert "✗ math between map_value pointer and register" in said(on)
        assert "before saving  ✗ line 8: R0 invalid mem access 'map_value_or_null'" in said(on)
        await on.play(saved("3", MENDED))
        assert said(on).startswith("mine/calls · runs now")
        assert "before saving  ✗ line 9: math between map_value pointer and register" in said(on)
        assert "9          *count += 1;" in on.see(CodeLines)
        assert "✗" not in on.see(CodeLines)
        assert "step" not in on.see(KeyLine)
        await on.play(saved("4", MENDED + "\n"))
        assert "before saving  ● it ran" in said(on)
        await on.press("escape")
        assert on.one(RunTabs).current == 4


async def test_a_load_that_takes_longer_than_that_of_a_later_version_is_detached(stage: Open) -> None:
    async with stage(saved("1"), answer=kernel(accepts)) as on:
        await load_mine(on)
        on.source._answer = lambda request: ()  # both saves are loaded by hand
        await on.play(saved("2"), saved("3"))
        await on.play(Loading(request=2, run=2, probe="mine/calls", params={}, stage="compile"))
        await on.play(Loading(request=3, run=3, probe="mine/calls", params={}, stage="compile"))
        await on.play(loaded(3, "mine/calls", BY_PROCESS, request=3), loaded(2, "mine/calls", BY_PROCESS, request=2))
        assert [request for request in requests(on) if isinstance(request, Detach)] == [
            Detach(run=1),
            Detach(run=1),
            Detach(run=2),
        ]


async def test_parameters_that_a_save_took_away_are_told(stage: Open) -> None:
    async with stage(saved("1"), answer=kernel(refuses)) as on:
        await load_mine(on)
        on.source._answer = lambda request: ()
        await on.play(saved("2"))
        box = on.app.screen.query_one("#said")
        assert box.border_subtitle == "saved: reloading"
        await on.play(Refused(request=2, error="no parameter 'pid'"))
        assert not box.border_subtitle
        assert on.told() == ["no parameter 'pid'"]


async def test_what_was_detached_or_never_loaded_is_not_loaded(stage: Open) -> None:
    async with stage(saved("1"), answer=kernel(accepts)) as on:
        await on.play(saved("2"))
        assert requests(on) == []
        await load_mine(on)
        await on.press("d")
        await on.play(saved("3"))
        assert requests(on) == [load_of(1), Detach(run=1)]


async def test_another_word_of_the_survey_loads_nothing(stage: Open) -> None:
    async with stage(saved("1"), answer=kernel(accepts)) as on:
        await load_mine(on)
        told = saved("1")
        known = [msgspec.structs.replace(each, available=True, variant="raw") for each in told.probes]
        await on.play(msgspec.structs.replace(told, probes=known))
        assert requests(on) == [load_of(1)]


async def test_e_opens_the_editor_at_the_failing_line(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[list[str]] = []

    async def run(argv: list[str]) -> int:
        opened.append(argv)
        return 1

    monkeypatch.setattr(editor, "run", run)
    monkeypatch.setenv("VISUAL", "/bin/sh -c vim")
    async with stage(saved("1"), answer=kernel(refuses)) as on:
        monkeypatch.setattr(on.app._driver.__class__, "can_suspend", property(lambda _: True))
        await load_mine(on)
        await on.press("e")
        await on.press("escape", "e")
        assert opened == [["/bin/sh", "-c", "vim", FILE], ["/bin/sh", "-c", "vim", FILE]]
        assert on.told() == ["/bin/sh exited with status 1"] * 2


async def test_e_on_a_bundled_probe_tells_how_to_copy_it(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebpftop.ui.actions.copying.shutil.which", lambda _: "/usr/bin/ebpftop")
    async with stage() as on:
        await on.press("slash", *"runqlat", "escape", "e")
        assert isinstance(on.app.screen, CopyScreen)
        assert on.app.screen.command == (
            "ebpftop new --from cpu/runqlat ~/ebpftop-probes/mine/runqlat && ebpftop --probes ~/ebpftop-probes"
        )


async def test_a_copy_goes_where_it_is_watched_already(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebpftop.ui.actions.copying.shutil.which", lambda _: None)
    monkeypatch.setattr("sys.argv", ["/opt/e b/bin/ebpftop"])
    async with stage(saved("1")) as on:
        await on.press("slash", *"runqlat", "escape", "e")
        assert isinstance(on.app.screen, CopyScreen)
        assert on.app.screen.command == "'/opt/e b/bin/ebpftop' new --from cpu/runqlat /home/ann/probes/mine/runqlat"


async def test_on_a_tape_there_is_nothing_to_edit(stage: Open) -> None:
    request = load_of(1)
    async with stage(saved("1"), refuses(1, request), live=False) as on:
        await on.press("slash", *"mine", "escape", "e")
        assert isinstance(on.app.screen, Dashboard)
        await on.press("v", "e")
        assert isinstance(on.app.screen, VerifierScreen)
        assert "e edit" not in on.see(KeyLine)


def test_the_editor_is_the_first_that_is_there(tmp_path: Path) -> None:
    for name in ("vi", "hx", "ed"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)

    def chosen(line: int | None = 9, **environment: str) -> list[str] | None:
        return editor.command({"PATH": str(tmp_path), **environment}, "/p.c", line)

    assert chosen() == ["vi", "+9", "/p.c"]
    assert chosen(None) == ["vi", "/p.c"]
    assert chosen(VISUAL="hx", EDITOR="ed") == ["hx", "/p.c:9"]
    assert chosen(VISUAL="gone -w", EDITOR="ed -s") == ["ed", "-s", "/p.c"]
    assert chosen(EDITOR=f"{tmp_path}/vi -u 'NO NE'") == [f"{tmp_path}/vi", "-u", "NO NE", "+9", "/p.c"]
    assert chosen(EDITOR="vi 'open") == ["vi", "+9", "/p.c"]
    (tmp_path / "vi").unlink()
    assert chosen() is None


def panels(on: Stage) -> list[VerifierScreen]:
    return [screen for screen in on.app.screen_stack if isinstance(screen, VerifierScreen)]


async def test_v_shows_the_last_failure_though_the_panel_was_covered_when_it_came(stage: Open) -> None:
    def later(run: int, request: Load) -> AnyFrame:
        return refuses(run, request, complaint="math between map_value pointer and register", line=9)

    async with stage(saved("1"), answer=kernel(refuses, later)) as on:
        await load_mine(on)
        await on.press("question_mark")
        await on.play(saved("2"))
        await on.press("escape")
        assert "✗ R0 invalid mem access 'map_value_or_null'" in said(on)
        await on.press("v")
        assert len(panels(on)) == 1
        assert "✗ math between map_value pointer and register" in said(on)
        await on.press("v")
        assert isinstance(on.app.screen, Dashboard)


async def test_there_is_one_panel_at_most_whatever_covers_it(stage: Open) -> None:
    async with stage(saved("1"), answer=kernel(refuses)) as on:
        await load_mine(on)
        await on.press("question_mark")
        on.app.workbench.show_failure(on.app.feed.session.runs[1])
        await on.settle()
        assert panels(on) == [on.app.screen]
        await on.press("escape")
        assert isinstance(on.app.screen, Dashboard)
