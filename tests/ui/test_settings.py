"""Settings in the dashboard: the keys that they change, editing them from within, and what is remembered."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from pathlib import Path

import pytest
from textual.app import App

from ebpftop.catalog.settings import Settings, read_settings
from ebpftop.frames.messages import Catalog, Load, PlaybookInfo, StepInfo
from ebpftop.ui.actions import editor
from ebpftop.ui.actions.remembering import Remembered, place, read, write
from ebpftop.ui.app.app import EbpftopApp
from ebpftop.ui.app.keymap import actions, checked, listed
from ebpftop.ui.app.options import Options
from ebpftop.ui.app.preferences import TEMPLATE
from ebpftop.ui.drawing.theme import DARK, LIGHT
from ebpftop.ui.screens.help import HelpScreen
from ebpftop.ui.screens.others import OthersScreen
from ebpftop.ui.screens.threads import ThreadsScreen
from ebpftop.ui.screens.tiles import Tiles
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.start import FIRST, Start
from tests.support.disks import files_of_at_most
from tests.ui.conftest import Open
from tests.ui.probes import PROBES


def given(tmp_path: Path, text: str) -> Settings:
    """The settings that a file says."""

    file = tmp_path / "config.toml"
    file.write_text(text)
    file.chmod(0o600)
    return read_settings(file, {0, os.geteuid()})


async def test_a_changed_key_does_it_and_is_what_help_and_footer_tell(stage: Open, tmp_path: Path) -> None:
    settings = given(tmp_path, '[keys]\nquit = "Q"\nall-programs = "f6"\npause = "ctrl+x"\n')
    async with stage(options=Options(settings=settings)) as on:
        assert on.told() == []
        assert "Q quit" in on.see(KeyLine)
        assert "q quit" not in on.see(KeyLine)
        assert "Ctrl-X pause" in on.see(KeyLine)
        await on.press("A")
        assert not isinstance(on.app.screen, OthersScreen)
        await on.press("f6")
        assert isinstance(on.app.screen, OthersScreen)
        await on.press("f6")  # the same key goes back
        assert not isinstance(on.app.screen, OthersScreen)
        await on.press("question_mark")
        assert isinstance(on.app.screen, HelpScreen)
        words = [line.split() for each in on.app.screen.query("Static") for line in str(each.render()).splitlines()]
        assert ["Q", "Ctrl-Q", "Detach", "everything", "and", "quit"] in words
        assert ["F6", "Show", "all", "BPF", "programs", "and", "what", "they", "cost"] in words
        await on.press("escape")
        await on.press("q")
        assert on.app.return_code is None
        await on.press("Q")
        assert on.app.return_code == 0


async def test_keys_can_be_swapped(stage: Open, tmp_path: Path) -> None:
    async with stage(options=Options(settings=given(tmp_path, '[keys]\nthreads = "A"\nall-programs = "W"\n'))) as on:
        assert on.told() == []
        await on.press("A")
        assert isinstance(on.app.screen, ThreadsScreen)
        await on.press("A")
        await on.press("W")
        assert isinstance(on.app.screen, OthersScreen)


async def test_what_can_not_be_is_told_with_its_line_and_costs_its_own_key(stage: Open, tmp_path: Path) -> None:
    text = '[keys]\npaus = "p"\nthreads = "A"\ncost = "Hyper+x"\n'
    async with stage(options=Options(settings=given(tmp_path, text))) as on:
        assert sorted(on.told()) == [
            f"{tmp_path}/config.toml:2: keys.paus: no such action; did you mean pause?; ignored",
            f"{tmp_path}/config.toml:3: keys.threads: 'A' is already the key of all-programs; ignored",
            f"{tmp_path}/config.toml:4: keys.cost: 'Hyper+x' is not a key such as D, ctrl+d or f5; ignored",
        ]
        await on.press("W")
        assert isinstance(on.app.screen, ThreadsScreen)


@pytest.mark.parametrize(
    ("wanted", "taken", "wrong"),
    [
        ({"cost": "D", "record": "D"}, {"cost": "D"}, ["record"]),
        ({"cost": "D", "record": "c"}, {"cost": "D", "record": "c"}, []),
        (
            {"cost": "escape", "record": "tab", "mark": "ctrl+i", "help": "ctrl+c"},
            {},
            ["cost", "record", "mark", "help"],
        ),
        ({"cost": "", "record": "ab", "mark": "\x1b", "help": " "}, {}, ["cost", "record", "mark", "help"]),
        ({"cost": "Ctrl-D", "record": ",", "mark": "é"}, {"cost": "ctrl+d", "mark": "é"}, ["record"]),
        ({"stands-out": "D", "search-functions": "D"}, {"stands-out": "D"}, ["search-functions"]),
        ({"pause": "space", "longer-interval": "="}, {}, []),  # theirs anyway
    ],
)
def test_of_two_that_collide_the_later_keeps_its_default(
    wanted: dict[str, str], taken: dict[str, str], wrong: list[str]
) -> None:
    found, problems = checked(wanted, EbpftopApp.BINDINGS)
    assert found == taken
    assert sorted(name for name, _ in problems) == sorted(wrong)


def test_the_template_has_every_action_and_changes_nothing(tmp_path: Path) -> None:
    known = actions(EbpftopApp.BINDINGS)
    text = TEMPLATE + "".join(listed(EbpftopApp.BINDINGS))
    assert given(tmp_path, text) == Settings(
        file=tmp_path / "config.toml", places={"playbook": f"{tmp_path}/config.toml:1: playbook"}
    )
    at = text.index("[keys]")
    everything = given(tmp_path, text[:at] + re.sub(r"(?m)^# ", "", text[at:]))
    assert everything.problems == ()
    assert set(everything.keys) == set(known)
    assert checked(everything.keys, EbpftopApp.BINDINGS) == ({}, [])


async def test_the_settings_are_edited_and_what_changed_is_applied(
    stage: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "new/config.toml"
    opened = []

    async def edited(_app: App[None], name: str, _line: int | None) -> str:
        opened.append((name, file.read_text()))
        file.write_text('theme = "light"\ninterval = 5\nbudget = 3\n[keys]\nthreads = "D"\nsettings = "f9"\n')
        return ""

    monkeypatch.setattr(editor, "edit", edited)
    async with stage(options=Options(settings=Settings(file=file))) as on:
        assert on.app.theme == DARK.name
        await on.press("comma")
        assert opened == [(str(file), TEMPLATE + "".join(listed(EbpftopApp.BINDINGS)))]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert on.app.theme == LIGHT.name
        assert on.app.feed.interval == 5
        assert on.told() == ["budget: applied at the next start"]
        await on.press("f9")
        assert len(opened) == 2
        await on.press("D")
        assert isinstance(on.app.screen, ThreadsScreen)


async def test_one_editor_is_open_at_a_time(stage: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, closed = 0, asyncio.Event()

    async def edited(_app: App[None], _file: str, _line: int | None) -> str:
        nonlocal opened
        opened += 1
        await closed.wait()
        return ""

    monkeypatch.setattr(editor, "edit", edited)
    async with stage(options=Options(settings=Settings(file=tmp_path / "config.toml"))) as on:
        await on.press("comma", "comma")
        await on.press("comma")
        assert opened == 1
        closed.set()
        await on.settle()
        await on.press("comma")
        assert opened == 2


async def test_settings_that_can_not_be_made_are_one_line(stage: Open, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with stage(options=Options(settings=Settings(file=tmp_path / "file/config.toml"))) as on:
        await on.press("comma")
        assert on.told() == [f"{tmp_path}/file/config.toml: File exists"]
    async with stage() as on:
        await on.press("comma")
        assert on.told() == ["settings are not used without a home folder, nor when tracing with capabilities"]


async def test_what_does_not_fit_the_disk_leaves_no_file(stage: Open, tmp_path: Path) -> None:
    settings, last = tmp_path / "config.toml", tmp_path / "last.json"
    async with stage(options=Options(settings=Settings(file=settings))) as on:
        with files_of_at_most(20):
            await on.press("comma")
            write(last, Remembered(probes=[("cpu/runqlat", {})]))
        assert on.told() == [f"{settings}: File too large"]
    assert not [*tmp_path.iterdir()]


# ---------------------------------------------------------------- what is remembered


def test_without_a_home_nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert place() == Path.home() / ".local/state/ebpftop/last.json"
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 54321)  # has no entry in passwd
    assert place() is None


async def test_what_ran_is_offered_the_next_time(stage: Open, tmp_path: Path) -> None:
    file = tmp_path / "state/last.json"
    async with stage(options=Options(remembers=file, auto_load=[("cpu/runqlat", {"pid": "7"})])) as on:
        await on.press("T")
    assert read(file) == Remembered(theme="light", probes=[("cpu/runqlat", {"pid": "7"})])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with stage(options=Options(remembers=file)) as on:
        assert on.app.theme == LIGHT.name
        assert "The last session" in on.see(Start)
        on.one(Start).focus()
        await on.press("G", "enter")
        assert isinstance(on.app.screen, Tiles)
        assert [(each.probe, each.params) for each in on.source.requests if isinstance(each, Load)] == [
            ("cpu/runqlat", {"pid": "7"})
        ]


async def test_settings_may_have_it_opened_at_once(stage: Open, tmp_path: Path) -> None:
    write(tmp_path / "last.json", Remembered(probes=[("cpu/runqlat", {}), ("gone/away", {})]))
    options = Options(remembers=tmp_path / "last.json", settings=Settings(playbook="last"))
    async with stage(options=options) as on:
        assert [each.probe for each in on.source.requests if isinstance(each, Load)] == ["cpu/runqlat"]


async def test_a_session_without_probes_keeps_what_ran_before(stage: Open, tmp_path: Path) -> None:
    file = tmp_path / "last.json"
    write(file, Remembered(probes=[("cpu/runqlat", {})]))
    async with stage(options=Options(remembers=file)):
        pass
    assert read(file).probes == [("cpu/runqlat", {})]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"probes": 3}', '{"probes": [["a", {"b": 1}]]}', "[" * 70_000])
def test_what_is_no_such_file_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "last.json").write_text(text)
    assert read(tmp_path / "last.json") == Remembered()
    assert read(tmp_path) == Remembered()


async def test_the_first_time_five_lines_of_help_go_away_with_the_first_screen(stage: Open, tmp_path: Path) -> None:
    file = tmp_path / "last.json"
    playbook = PlaybookInfo(
        name="slow", title="Slow", summary="Why.", steps=[StepInfo(probe="cpu/runqlat", question="Is it the CPU?")]
    )
    for first in (True, False):
        async with stage(
            first=Catalog(probes=list(PROBES), playbooks=[playbook]), options=Options(remembers=file)
        ) as on:
            assert len(FIRST) == 5
            assert all((line in on.see(Start)) == first for line in FIRST)
