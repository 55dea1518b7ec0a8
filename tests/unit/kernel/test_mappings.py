"""Files behind a process's mappings, where the kernel's own links to them can't be followed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ebpftop.base.answering import Answering
from ebpftop.kernel.mappings import Mapping, Mappings


def mapped(path: Path, inode: int) -> int:
    """A descriptor of what this process would have mapped from there, at an address at which nothing is mapped."""
    mappings = Mappings.__new__(Mappings)
    mappings.pid = os.getpid()
    mappings._answering = Answering()
    return mappings.open(Mapping(0, 4096, 0, b"08:01", inode, os.fsencode(path)))


def test_the_file_at_the_path_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "lib.so"
    file.write_bytes(b"mapped")
    descriptor = mapped(file, file.stat().st_ino)
    assert os.read(descriptor, 100) == b"mapped"
    os.close(descriptor)


@pytest.mark.parametrize("kind", ["file", "link", "fifo"])
def test_another_file_at_the_path_of_a_mapped_one_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The path changes after it was looked at: its owner may do that at any time."""
    file, other = tmp_path / "lib.so", tmp_path / "other"
    file.write_bytes(b"mapped")
    other.write_bytes(b"secret")
    inode = file.stat().st_ino
    swapped: list[bool] = []

    def swapping(look: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def looked(*arguments: object, **options: object) -> os.stat_result:
            found = look(*arguments, **options)
            if not swapped:
                swapped.append(True)
                swap()
            return found

        return looked

    def swap() -> None:
        file.rename(tmp_path / "was")
        if kind == "file":
            other.rename(file)
        elif kind == "link":
            file.symlink_to(other)
        else:
            os.mkfifo(file)

    monkeypatch.setattr(os, "stat", swapping(os.stat))
    monkeypatch.setattr(os, "fstat", swapping(os.fstat))
    descriptor = mapped(file, inode)
    assert os.read(descriptor, 100) == b"mapped"
    os.close(descriptor)
    with pytest.raises(FileNotFoundError):
        mapped(file, inode)


@pytest.fixture
def listing() -> Iterator[Path]:
    """Where this process's perf map would be."""
    path = Path(f"/tmp/perf-{os.getpid()}.map")
    yield path
    path.unlink(missing_ok=True)


def opened_perf_map() -> bool:
    mappings = Mappings.__new__(Mappings)
    mappings.pid = os.getpid()
    descriptor = mappings.perf_map()
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None


def test_a_perf_map_is_a_file_and_no_link(listing: Path, tmp_path: Path) -> None:
    assert not opened_perf_map()
    listing.write_text("1000 10 name\n")
    assert opened_perf_map()
    listing.rename(other := tmp_path / "other")
    listing.symlink_to(other)
    assert not opened_perf_map()
    listing.unlink()
    os.mkfifo(listing)
    assert not opened_perf_map()


@pytest.mark.root
def test_a_perf_map_of_another_user_is_not_read(listing: Path) -> None:
    listing.write_text("1000 10 name\n")
    os.chown(listing, 65534, 65534)
    assert not opened_perf_map()
