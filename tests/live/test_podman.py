"""A container of a real Podman, in a storage of the test's own: its name, its pids, and probes limited to it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ebpftop.loader import containers
from tests.support.lacking import lacking
from tests.support.processes import eventually
from tests.support.tracing import any_kernel, trace

pytestmark = [pytest.mark.bpf, any_kernel, pytest.mark.installed("podman", "runc", "busybox")]

INSIDE, OUTSIDE = 7, 11
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")  # Podman would raise them, which not all may


class Container(NamedTuple):
    """A container that runs until its `with` ends. podman: the command, with options."""

    podman: list[str]
    id: str
    pid: int

    def run(self, *command: str) -> None:
        subprocess.run([*self.podman, "exec", self.id, *command], check=True, capture_output=True)


def _removed(root: Path) -> bool:
    shutil.rmtree(root, ignore_errors=True)
    return not root.exists()


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    """Named web."""
    root, image = Path(tempfile.mkdtemp(prefix="pod-")), tmp_path / "image"  # as Podman takes no long path
    monkeypatch.setenv("RUNTIMES_ROOT", str(root))
    (tmp_path / "probes").mkdir()
    (image / "bin").mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, image / "bin")
    for name in ("sh", "true", "sleep"):
        (image / "bin" / name).symlink_to("busybox")
    storage = ["--root", str(root / containers.STORAGE), "--runroot", str(root / containers.RUN_STORAGE)]
    podman = ["podman", *storage, "--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--runtime=runc"]
    command = ["run", "--detach", "--name=web", "--network=none", *LIMITS, "--rootfs", str(image), "/bin/sleep", "1000"]
    done = subprocess.run([*podman, *command], capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(root)
        lacking(f"podman can't run a container here: {done.stderr.strip().splitlines()[-1]}")
    number = done.stdout.strip()
    try:
        found = json.loads(subprocess.check_output([*podman, "inspect", number]))
        yield Container(podman, number, found[0]["State"]["Pid"])
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run([*podman, "rm", "--force", "--time=0", number], check=True, capture_output=True)
        eventually(lambda: _removed(root), "nothing writes there any more")


def test_its_programs_alone_are_counted_and_have_its_name(container: Container, tmp_path: Path) -> None:
    inside = f"i=0; while [ $i -lt {INSIDE} ]; do /bin/true; i=$((i + 1)); done; exec /bin/sleep 0"
    with trace("cpu/execsnoop", probes=tmp_path / "probes", container="web") as traced:
        traced.until_named()
        for _ in range(OUTSIDE):
            subprocess.run(["true"], check=True)
        container.run("/bin/sh", "-c", inside)
        traced.until(lambda: bool(traced.events(args="/bin/sleep 0")), "all have run")
    rows = traced.events(args="/bin/true")
    assert len(rows) == INSIDE
    assert not traced.events(args="true")
    assert {row["container"] for row in rows} == {"web"}
    first = rows[0]["nspid"]
    assert [row["nspid"] for row in rows] == [*range(first, first + INSIDE)]


def test_its_first_process_is_process_1(container: Container, tmp_path: Path) -> None:
    for name in ("web", container.id[:8]):
        with trace("cpu/syscount", probes=tmp_path / "probes", pid=f"{name}:1") as traced:
            pass
        assert traced.notes[0] == f"pid={name}:1: process {container.pid} of the host"
