"""Control groups at the paths that container runtimes use, in a hierarchy of this machine."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebpftop.kernel import mounts
from tests.support.processes import eventually


def v2() -> Path:
    """The mount point of the hierarchy of version 2."""
    place = mounts.cgroups()
    assert place is not None
    return place


def v1() -> Path:
    """The mount point of a hierarchy of version 1 with controllers. Skips the test if there is none."""
    mounted = map(str.split, Path("/proc/mounts").read_text().splitlines())
    if not any(kind == "cgroup" and "name=" not in options for _, _, kind, options, *_ in mounted):
        pytest.skip("this machine has no cgroup hierarchy of version 1")
    return next(place for number, place in sorted(mounts.hierarchies().items()) if number)


def leave_all(pid: int) -> None:
    """Move a process to the roots of all hierarchies."""
    for place in mounts.hierarchies().values():
        (place / "cgroup.procs").write_text(str(pid))


@contextlib.contextmanager
def group(root: Path, path: str) -> Iterator[Path]:
    """A new group. New groups above it are removed with it, once their processes have ended."""
    folder = root / path.lstrip("/")
    made = [each for each in (folder, *folder.parents) if each != root and root in each.parents and not each.exists()]
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        for each in made:
            eventually(lambda each=each: _removed(each), f"{each} is empty")


def _removed(folder: Path) -> bool:
    try:
        os.rmdir(folder)
    except OSError:
        return not folder.exists()
    return True


def run_in(folder: Path, command: str, times: int = 1) -> None:
    """Run a command this many times. Each time a shell moves itself there and executes it, as a runtime does."""
    for _ in range(times):
        subprocess.run(["sh", "-c", f"echo $$ > {shlex.quote(str(folder))}/cgroup.procs; exec {command}"], check=True)
