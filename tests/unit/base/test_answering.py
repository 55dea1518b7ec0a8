"""Which paths are tried by a child before they are opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpftop.base import answering

LOCAL = "/dev/sda1 / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\nfusectl /sys/fs/fuse/connections fusectl rw 0 0\n"


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """True for each child; none gets an answer."""
    found: list[bool] = []
    monkeypatch.setattr(answering, "_ends", lambda _: bool(found.append(True)))
    return found


def test_no_child_is_needed_where_no_file_system_depends_on_a_server(tmp_path: Path, tried: list[bool]) -> None:
    (tmp_path / "mounts").write_text(LOCAL)
    assert answering.path_answers(tmp_path / "a", tmp_path / "mounts")
    assert answering.path_answers(tmp_path / "a", tmp_path / "no such table")
    assert tried == []


@pytest.mark.parametrize("kind", ["fuse", "fuse.sshfs", "nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "virtiofs"])
def test_a_child_tries_where_one_does(tmp_path: Path, tried: list[bool], kind: str) -> None:
    (tmp_path / "mounts").write_text(f"{LOCAL}far /home {kind} rw 0 0\n")
    assert not answering.path_answers(tmp_path / "a", tmp_path / "mounts")
    assert tried == [True]


def test_an_error_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text("far /home nfs rw 0 0\n")
    assert answering.path_answers(tmp_path / "missing", tmp_path / "mounts")
    assert answering.path_answers(tmp_path, tmp_path / "mounts")
