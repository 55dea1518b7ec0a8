"""The available CPythons: the distribution's, pyenv's, uv's, and those that `newer-python` fetched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
ABSENT = "no CPython {} here; CONTRIBUTING.md says where it can be had"
_HOME = Path.home()
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or _HOME / ".cache") / "ebpftop"


def interpreter(version: str) -> list[str]:
    """The first of these commands. Skips the test if there is none."""
    found = commands(version)
    return found[0] if found else pytest.skip(ABSENT.format(version))


def commands(version: str) -> list[list[str]]:
    """The commands that start each CPython of this version."""
    found = dict.fromkeys(Path(path).resolve() for path in _programs(f"python{version}"))
    return [*([str(program)] for program in found), *_fetched(version)]


def _programs(name: str) -> Iterator[Path | str]:
    if distribution := shutil.which(name, path="/usr/bin:/usr/local/bin"):
        yield distribution
    for folder in (_HOME / ".pyenv/versions", _HOME / ".local/share/uv/python"):
        yield from sorted(folder.glob(f"*/bin/{name}"))


def _fetched(version: str) -> Iterator[Sequence[str]]:
    """Commands for fetched ones: a Python of a newer distribution needs that one's libraries."""
    tree = _CACHE / f"python{version}"
    program, loader = tree / f"usr/bin/python{version}", tree / "usr/lib64/ld-linux-x86-64.so.2"
    if program.exists() and loader.exists():
        libraries = [tree / "usr/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"]
        yield [str(loader), "--library-path", ":".join(map(str, libraries)), str(program)]
