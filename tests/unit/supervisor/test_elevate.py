"""The command that sudo runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpftop.arguments import parser
from ebpftop.supervisor import elevate


class Replaced(Exception):
    """The process would be sudo now."""


def program(path: Path) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def asked(monkeypatch: pytest.MonkeyPatch, folder: Path, **environment: str) -> list[str]:
    """The arguments of sudo, which lies in the one folder of the PATH."""
    program(folder / "sudo")
    given: list[str] = []

    def execv(_: str, argv: list[str]) -> None:
        given.extend(argv)
        raise Replaced

    monkeypatch.setattr(elevate.os, "environ", {"PATH": str(folder), **environment})
    monkeypatch.setattr(elevate.os, "execv", execv)
    with pytest.raises(Replaced):
        elevate.through_sudo(["run", "x"])
    return given


def test_what_sudo_strips_goes_as_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = asked(monkeypatch, tmp_path, EDITOR="e -w", SECRET="1", NO_COLOR="")
    assert given[-4:] == ["--user-env=NO_COLOR=", "--user-env=EDITOR=e -w", "run", "x"]
    carried = parser().parse_args(given[given.index("--user-env=NO_COLOR=") : -2]).user_env
    assert carried == [("NO_COLOR", ""), ("EDITOR", "e -w")]


def test_an_editor_that_only_the_user_finds_goes_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "hx")
    given = asked(monkeypatch, tmp_path, EDITOR="hx -v", VISUAL="hx")
    assert {f"--user-env=EDITOR={tmp_path}/hx -v", f"--user-env=VISUAL={tmp_path}/hx"} < set(given)
