"""Saving a file of a folder named with --probes, in the ways that editors do it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ebpftop.catalog import current
from ebpftop.catalog.current import CurrentCatalog
from ebpftop.catalog.info import info
from tests.support.probes import HEAD, SOURCE, write_probe

NOWHERE = Path("/nonexistent")
NEW = SOURCE.replace("zero = 0", "zero = 0 + 0")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a second after the last one, and looking takes no share of it."""
    seconds = iter(range(1_000_000))
    monkeypatch.setattr(current, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    monkeypatch.setattr(current, "SHARE", 1e9)


def in_place(file: Path, text: str) -> None:
    file.write_text(text)


def renamed(file: Path, text: str) -> None:
    """A new file takes the place of the old one, with a backup for a moment."""
    backup, new = file.with_name(f"{file.name}~"), file.with_name("4913")
    new.write_text(text)
    file.rename(backup)
    new.rename(file)
    backup.unlink()


def with_its_folder(file: Path, text: str) -> None:
    """As when a tree is checked out again."""
    shutil.copytree(file.parent, file.parent.with_name("new"))
    shutil.rmtree(file.parent)
    file.parent.with_name("new").rename(file.parent)
    file.write_text(text)


def opened(folder: Path, *, again: bool = True) -> CurrentCatalog:
    """The folder's catalog, read for the first time."""
    current = CurrentCatalog([folder], again=again, system=NOWHERE)
    assert current.look()
    return current


def settled(current: CurrentCatalog) -> bool:
    """Whether something was read again, once nothing changes any more."""
    return any([current.look() for _ in range(3)])


@pytest.mark.parametrize("save", [in_place, renamed, with_its_folder])
def test_a_saved_file_is_read_again_once(tmp_path: Path, save: Callable[[Path, str], None]) -> None:
    folder = write_probe(tmp_path, "my/one")
    current = opened(tmp_path)
    before = info(current.catalog.probes["my/one"])
    assert before.file == str(folder / "probe.bpf.c")
    assert not settled(current)
    save(folder / "probe.bpf.c", NEW)
    assert [current.look() for _ in range(4)] == [False, True, False, False]
    after = info(current.catalog.probes["my/one"])
    assert after.source == NEW
    assert after.revision != before.revision


def test_nothing_is_read_while_it_is_still_being_written(tmp_path: Path) -> None:
    file = write_probe(tmp_path, "my/one") / "probe.bpf.c"
    current = opened(tmp_path)
    for length in range(1, 6):
        file.write_text(NEW[:length])
        assert not current.look()
    file.write_text(NEW)
    assert [current.look() for _ in range(3)] == [False, True, False]
    assert current.catalog.probes["my/one"].source == NEW


def test_a_folder_that_no_longer_parses_keeps_its_last_good_version(tmp_path: Path) -> None:
    folder = write_probe(tmp_path, "my/one")
    current = opened(tmp_path)
    good = current.catalog.probes["my/one"]
    manifest = (folder / "probe.toml").read_text()
    (folder / "probe.toml").write_text(manifest.replace("title", "titel", 1))
    assert settled(current)
    assert current.catalog.problems == [f"{folder}/probe.toml:1: titel: unknown key; did you mean title?"]
    assert current.catalog.probes["my/one"] == good
    (folder / "probe.toml").write_text(manifest)
    assert settled(current)
    assert current.catalog.problems == []
    assert info(current.catalog.probes["my/one"]).revision == info(good).revision


def test_folders_come_and_go(tmp_path: Path) -> None:
    write_probe(tmp_path, "my/one")
    current = opened(tmp_path)
    write_probe(tmp_path, "other/two")
    shutil.rmtree(tmp_path / "my")
    assert settled(current)
    assert {"my/one", "other/two"} & set(current.catalog.probes) == {"other/two"}


def test_what_only_tells_of_a_probe_is_no_other_revision(tmp_path: Path) -> None:
    folder = write_probe(tmp_path, "my/one")
    current = opened(tmp_path)
    before = info(current.catalog.probes["my/one"])
    (folder / "README.md").write_text("# Calls\n")
    assert settled(current)
    after = info(current.catalog.probes["my/one"])
    assert (after.readme, after.revision) == ("# Calls\n", before.revision)


def test_playbooks_are_read_again(tmp_path: Path) -> None:
    current = opened(tmp_path)
    (tmp_path / "playbooks").mkdir()
    file = tmp_path / "playbooks/mine.toml"
    file.write_text('title = "Mine"\nsummary = "One."\n[[probes]]\nid = "cpu/runqlat"\nquestion = "Busy?"\n')
    assert settled(current)
    assert current.catalog.playbooks["mine"].info.title == "Mine"
    file.unlink()
    assert settled(current)
    assert "mine" not in current.catalog.playbooks


def test_a_saved_header_is_read_again(tmp_path: Path) -> None:
    folder = write_probe(tmp_path, "my/one")
    current = opened(tmp_path)
    before = info(current.catalog.probes["my/one"]).revision
    (folder / "mine.h").write_text("#define MINE 1\n")
    assert settled(current)
    assert current.catalog.probes["my/one"].headers == {"mine.h": "#define MINE 1\n"}
    assert info(current.catalog.probes["my/one"]).revision != before


def test_what_is_not_watched_has_no_file_and_costs_no_look(tmp_path: Path) -> None:
    folder = write_probe(tmp_path, "my/one")
    current = opened(tmp_path, again=False)
    assert current.next_look is None
    (folder / "probe.toml").write_text(HEAD)
    assert not settled(current)
    assert current.catalog.problems == []
    for name in ("my/one", "lab/null-deref"):
        told = info(current.catalog.probes[name])
        assert (told.file, told.revision) == ("", "")


def test_a_relative_folder_is_the_one_it_was_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_probe(tmp_path, "my/one")
    monkeypatch.chdir(tmp_path)
    current = opened(Path("."))
    os.chdir("/")
    (folder / "probe.bpf.c").write_text(NEW)
    assert settled(current)
    assert info(current.catalog.probes["my/one"]).file == str(folder / "probe.bpf.c")
