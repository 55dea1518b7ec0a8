"""The pressure of a cgroup is that of its own tasks, as the kernel accounts it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from ebpftop.collector.pressure import Pressures, parse
from tests.support.cgroups import group
from tests.support.processes import eventually
from tests.support.workloads import Worker, cgroup_root

pytestmark = pytest.mark.bpf

SPIN = "def work():\n    while True: pass"
SECOND = 10**9


def stalled(folder: Path) -> int:
    return parse((folder / "cpu.pressure").read_bytes()).some_ns


def test_a_cgroup_whose_tasks_wait_for_a_cpu_is_under_pressure_and_another_one_is_not() -> None:
    root = cgroup_root()
    if root is None or not Path("/proc/pressure/cpu").exists():
        pytest.skip("no cgroups of version 2 here, or no pressure")
    name = f"/ebpftop-pressure-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        busy, idle = (stack.enter_context(group(root, f"{name}/{which}")) for which in ("busy", "idle"))
        if not (busy / "cpu.pressure").exists():
            pytest.skip("this kernel accounts no pressure of cgroups")
        of_busy, of_idle = Pressures(lambda path: True, root), Pressures(lambda path: True, root)
        of_busy.watch(f"{name}/busy")
        of_idle.watch(f"{name}/idle")
        waiting = stack.enter_context(Worker("import time\ndef work(): time.sleep(1000)"))
        (idle / "cgroup.procs").write_text(str(waiting.pid))
        waiting.start()
        for _ in range(3):  # on one CPU: two of them always wait
            worker = stack.enter_context(Worker(SPIN, cpu=0))
            (busy / "cgroup.procs").write_text(str(worker.pid))
            worker.start()
        eventually(lambda: of_busy.read_cgroup()["cpu"].some_ns >= 3 * SECOND, "its tasks were stalled", 60)
        for pressures, folder in ((of_busy, busy), (of_idle, idle)):
            at_least = stalled(folder)
            found = pressures.read_cgroup()["cpu"].some_ns
            assert at_least <= found <= stalled(folder)
        assert of_idle.read_cgroup()["cpu"].some_ns < SECOND
        of_busy.watch("")
        of_idle.watch("")
