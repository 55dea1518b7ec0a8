"""What a folder was read as is kept, but only for as long as it is true, and never where others can write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ebpftop.catalog import cache
from ebpftop.catalog.folders import read_catalog

NOWHERE = Path("/nonexistent")


class Value(msgspec.Struct):
    text: str
    place: Path


class Folder:
    """A folder of one file, what it is read as, and how often it was."""

    def __init__(self, tmp_path: Path) -> None:
        self.cache = tmp_path / "cache"
        self.root = tmp_path / "probes"
        self.root.mkdir()
        self.file = self.root / "one.toml"
        self.file.write_text("first")
        self.reads = 0

    def read(self) -> str:
        return cache.kept(self.cache, self.root, Value, self._read).text

    def _read(self) -> Value:
        self.reads += 1
        return Value(" ".join(sorted(file.read_text() for file in self.root.iterdir())), self.root)

    @property
    def kept(self) -> Path:
        (file,) = self.cache.iterdir()
        return file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(cache, "RACY", -60.0)  # the files of these tests were all made just now
    return Folder(tmp_path)


def test_a_folder_is_read_once(folder: Folder) -> None:
    assert [folder.read(), folder.read(), folder.reads] == ["first", "first", 1]
    value = cache.kept(folder.cache, folder.root, Value, folder._read)
    assert (value.place, folder.reads) == (folder.root, 1)
    assert folder.kept.stat().st_mode & 0o777 == 0o600


def test_without_a_place_it_is_read_each_time(folder: Folder) -> None:
    for number in (1, 2):
        assert cache.kept(None, folder.root, Value, folder._read).text == "first"
        assert folder.reads == number


def in_place(folder: Folder) -> None:
    """Same size, and the time of modification set back."""
    status = folder.file.stat()
    folder.file.write_text("other")
    os.utime(folder.file, ns=(status.st_atime_ns, status.st_mtime_ns))


def replaced(folder: Folder) -> None:
    new = folder.file.with_suffix(".new")
    new.write_text("other")
    new.rename(folder.file)


@pytest.mark.parametrize("change", [in_place, replaced])
def test_a_changed_file_is_read_again(folder: Folder, change: Callable[[Folder], None]) -> None:
    folder.read()
    change(folder)
    assert [folder.read(), folder.read(), folder.reads] == ["other", "other", 2]


def test_a_new_file_and_one_that_is_gone_are_noticed(folder: Folder) -> None:
    folder.read()
    (folder.root / "two.toml").write_text("second")
    assert folder.read() == "first second"
    folder.file.unlink()
    assert folder.read() == "second"


def test_what_may_change_again_under_the_same_time_stamp_is_not_kept(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "RACY", 3600.0)
    assert [folder.read(), folder.read(), folder.reads] == ["first", "first", 2]


def open_to_others(folder: Folder) -> None:
    folder.cache.chmod(0o777)


def open_to_a_group(folder: Folder) -> None:
    folder.cache.chmod(0o770)


def file_open_to_others(folder: Folder) -> None:
    folder.kept.chmod(0o666)


def owned_by_another(folder: Folder) -> None:
    os.chown(folder.kept, 65534, 65534)


def folder_owned_by_another(folder: Folder) -> None:
    os.chown(folder.cache, 65534, 65534)


def a_link(folder: Folder) -> None:
    kept = folder.kept
    elsewhere = kept.rename(folder.root.parent / "elsewhere")
    kept.symlink_to(elsewhere)


def a_folder_that_is_a_link(folder: Folder) -> None:
    elsewhere = folder.cache.rename(folder.root.parent / "elsewhere")
    folder.cache.symlink_to(elsewhere)


def a_pipe(folder: Folder) -> None:
    kept = folder.kept
    kept.unlink()
    os.mkfifo(kept, 0o600)


def cut(folder: Folder) -> None:
    folder.kept.write_bytes(folder.kept.read_bytes()[:-3])


def altered(folder: Folder) -> None:
    folder.kept.write_bytes(folder.kept.read_bytes().replace(b"first", b"wrong"))


def something_else(folder: Folder) -> None:
    folder.kept.write_bytes(b"\x00\xff" * 100)


@pytest.mark.parametrize(
    "change",
    [
        open_to_others,
        open_to_a_group,
        file_open_to_others,
        pytest.param(owned_by_another, marks=pytest.mark.root),
        pytest.param(folder_owned_by_another, marks=pytest.mark.root),
        a_link,
        a_folder_that_is_a_link,
        a_pipe,
        cut,
        altered,
        something_else,
    ],
)
def test_a_file_is_not_trusted_that_is_damaged_or_others_can_write_to(
    folder: Folder, change: Callable[[Folder], None]
) -> None:
    folder.read()
    change(folder)
    assert [folder.read(), folder.reads] == ["first", 2]


@pytest.mark.parametrize(
    "change",
    [file_open_to_others, pytest.param(owned_by_another, marks=pytest.mark.root), a_link, a_pipe, cut, altered],
)
def test_a_file_that_was_not_trusted_is_written_anew(folder: Folder, change: Callable[[Folder], None]) -> None:
    folder.read()
    change(folder)
    folder.read()
    assert [folder.read(), folder.reads] == ["first", 2]


def test_a_file_that_is_too_large_is_not_read(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.read()
    monkeypatch.setattr(cache, "LARGEST", 10)
    assert [folder.read(), folder.reads] == ["first", 2]


def test_where_nothing_can_be_kept_nothing_is_said(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder.cache.write_text("no folder")
    assert [folder.read(), folder.read(), folder.reads] == ["first", "first", 2]
    assert capfd.readouterr() == ("", "")


def test_the_bundled_catalog_is_the_same_when_it_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "RACY", -60.0)
    read = read_catalog(system=NOWHERE)
    written = read_catalog(system=NOWHERE, cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 1
    monkeypatch.setattr("ebpftop.catalog.folders.read_folder", None)
    assert read_catalog(system=NOWHERE, cache=tmp_path / "cache") == written == read
