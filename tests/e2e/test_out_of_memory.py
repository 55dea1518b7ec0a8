"""A control group without memory left: whichever of our processes the kernel kills, one line says why."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.memory import memory_cgroup
from tests.support.processes import SLOWER
from tests.support.shell import patched

pytestmark = pytest.mark.bpf

LIMIT = 400 << 20
EATS = "(lambda *_, **__: b'x' * (1 << 30))"
PATCHES = {
    "loader": f"from ebpftop.loader import load; load.Load.run = {EATS}",
    "collector": f"from ebpftop.collector import server; server.Server._load = {EATS}",
    "run": f"from ebpftop.export import headless; headless.run = {EATS}",
}


@pytest.mark.parametrize(("victim", "status"), [("loader", 1), ("collector", 1), ("run", 137)])
def test_the_victim_is_named_with_the_limit(victim: str, status: int, tmp_path: Path) -> None:
    program = ["env", *shlex.split(patched(tmp_path, PATCHES[victim]))]
    with memory_cgroup(LIMIT) as group:
        join = ["sh", "-c", f'echo 0 >{group.procs}; exec "$@"', "sh"]
        done = subprocess.run(
            [*join, *program, "run", "lab/hello"], capture_output=True, text=True, timeout=60 * SLOWER, check=False
        )
        said = f"the {victim} was killed by the kernel because memory ran out: its control group may use 400 MiB; raise"
        assert said in done.stderr
        assert str(group.folder) in done.stderr
    assert done.returncode == status
