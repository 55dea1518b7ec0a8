"""Files of ours are whole or not there."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ebpftop.export import files


def test_nothing_is_left_of_a_file_whose_writer_was_killed(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with files.create(tmp_path / "page.html") as file:
            file.write(b"half")
            file.flush()
            os._exit(9)
    os.waitpid(child, 0)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("has_nameless", [True, False])
@pytest.mark.parametrize("force", [True, False])
def test_a_file_appears_with_all_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_nameless: bool, force: bool
) -> None:
    if not has_nameless:  # as on NFS

        def opened(path: Path, flags: int, mode: int = 0o777, real=os.open) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "not supported")
            return int(real(path, flags, mode))

        monkeypatch.setattr(os, "open", opened)
    path = tmp_path / "page.html"
    if force:
        path.write_bytes(b"before")
    with files.create(path, force=force) as file:
        file.write(b"whole")
        assert not path.exists() or path.read_bytes() == b"before"
    assert path.read_bytes() == b"whole"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["page.html"]
