"""Users without a home folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ebpftop.base.home import expanded, home
from ebpftop.catalog.settings import Settings
from ebpftop.commands import settings


@pytest.fixture(params=["no HOME", "a relative HOME"])
def homeless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 54321)  # has no entry in passwd
    if request.param == "no HOME":
        monkeypatch.delenv("HOME")
    else:
        monkeypatch.setenv("HOME", "here")


@pytest.mark.usefixtures("homeless")
def test_a_user_may_have_no_home() -> None:
    assert home() is None


def test_what_has_no_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/root")
    assert expanded(Path("~/a.tape")) == Path("/root/a.tape")
    with pytest.raises(OSError, match="no home folder is known for ~nobody-has-it"):
        expanded(Path("~nobody-has-it/a.tape"))


@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_current_folder_has_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for folder in ("~", "here"):
        file = tmp_path / folder / ".config/ebpftop/config.toml"
        file.parent.mkdir(parents=True)
        file.write_text('theme = "light"')
    assert settings._read() == Settings()
