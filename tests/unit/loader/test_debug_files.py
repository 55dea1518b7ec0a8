"""The file that holds a stripped one's symbols, and no other."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from ebpftop.kernel.elf import Elf
from ebpftop.loader import debug_files


def stripped(folder: Path, *, identity: str = "--build-id") -> tuple[Path, Path, int]:
    """A library without its own names, the file with them, and where its function `hidden` is."""
    library, source, debug = (folder / f"mine.{end}" for end in ("so", "c", "debug"))
    source.write_text("static int hidden(int n) { return n; } int (*work)(int) = hidden;")
    subprocess.run(["cc", "-shared", "-fPIC", f"-Wl,{identity}", "-o", library, source], check=True)
    subprocess.run(["objcopy", "--only-keep-debug", library, debug], check=True)
    subprocess.run(["strip", library], check=True)
    symbols = [line.split() for line in subprocess.check_output(["nm", debug], text=True).splitlines()]
    return library, debug, next(int(symbol[0], 16) for symbol in symbols if symbol[-1] == "hidden")


def named(elf: Elf | None, address: int) -> bool:
    found = elf.function(address) if elf is not None else None
    return found is not None and found.name == b"hidden"


def of(path: Path) -> Elf:
    return Elf.of(os.open(path, os.O_RDONLY))


@pytest.mark.parametrize("right", [True, False])
def test_a_debuginfod_cache_is_used_where_the_build_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, right: bool
) -> None:
    library, debug, hidden = stripped(tmp_path)
    elf = of(library)
    assert not named(elf, hidden)
    build_id = elf.build_id()
    assert len(build_id) == 20
    if not right:
        debug.write_bytes(debug.read_bytes().replace(build_id, bytes(20)))
    place = tmp_path / "home/.cache/debuginfod_client" / build_id.hex() / "debuginfo"
    place.parent.mkdir(parents=True)
    debug.rename(place)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_dir=str(tmp_path / "home")))
    assert named(debug_files.debug_file(elf, str(library)), hidden) == right


@pytest.mark.parametrize(("folder", "changed"), [("", False), (".debug", False), ("", True), ("elsewhere", False)])
def test_a_linked_file_is_used_where_its_crc_is_right(tmp_path: Path, folder: str, *, changed: bool) -> None:
    library, debug, hidden = stripped(tmp_path, identity="--build-id=none")
    subprocess.run(["objcopy", f"--add-gnu-debuglink={debug}", library], check=True)
    if changed:
        debug.write_bytes(debug.read_bytes() + b"more")
    (tmp_path / folder).mkdir(exist_ok=True)
    debug.rename(tmp_path / folder / debug.name)
    found = debug_files.debug_file(of(library), str(library))
    assert named(found, hidden) == (not changed and folder != "elsewhere")
