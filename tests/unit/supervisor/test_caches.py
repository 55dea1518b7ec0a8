"""What is kept belongs to who uses it, and who traces by capabilities takes nothing from others of the same user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ebpftop.kernel import capabilities
from ebpftop.supervisor import caches


def test_root_and_users_keep_things_in_different_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert caches.folder({"XDG_CACHE_HOME": "/home/somebody"}) == Path("/var/cache/ebpftop")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(capabilities, "may_trace", lambda: False)
    assert caches.folder({"XDG_CACHE_HOME": "/home/somebody"}) == Path("/home/somebody/ebpftop")
    monkeypatch.setenv("HOME", "/home/anybody")
    assert caches.folder({}) == Path("/home/anybody/.cache/ebpftop")
    assert caches.folder({"XDG_CACHE_HOME": "here"}) is None


def test_who_traces_by_capabilities_uses_no_file_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(capabilities, "may_trace", lambda: True)
    assert caches.folder({"XDG_CACHE_HOME": "/home/somebody"}) is None
