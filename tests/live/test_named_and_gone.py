"""A run says when what its parameters name has gone, and when something else has its pid or its path."""

from __future__ import annotations

import contextlib
import subprocess

import pytest

from ebpftop.frames.messages import Notice
from tests.support import cgroups
from tests.support.processes import with_pid
from tests.support.tracing import Tracing, any_kernel, trace

pytestmark = [pytest.mark.bpf, any_kernel]


def warnings(traced: Tracing) -> list[str]:
    return [frame.text for frame in traced.frames or () if isinstance(frame, Notice)]


def test_a_process_ends_and_another_gets_its_pid() -> None:
    with subprocess.Popen(["sleep", "600"]) as first, trace("cpu/syscount", keep=True, pid=first.pid) as traced:
        traced.until_named()
        first.kill()
        first.wait()
        name = f"pid={first.pid}"
        traced.until(lambda: warnings(traced) == [f"{name}: sleep has ended"], "that is said")
        with with_pid(first.pid, "sleep", "600") as second:
            traced.until(lambda: len(warnings(traced)) > 1, "so is the second one")
            second.kill()
        said = [f"{name}: sleep has ended", f"{name}: another process has this pid now, sleep"]
        assert warnings(traced)[:2] == said


def test_a_cgroup_is_removed_and_made_again() -> None:
    path = "/ebpftop-test-subject"
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(cgroups.group(cgroups.v2(), path))
        traced = stack.enter_context(trace("cpu/syscount", keep=True, cgroup=path))
        first.close()
        traced.until(lambda: warnings(traced) == [f"cgroup={path} is gone"], "that is said")
        with cgroups.group(cgroups.v2(), path):
            traced.until(lambda: len(warnings(traced)) > 1, "so is the second one")
        assert warnings(traced)[1].startswith(f"cgroup={path} is a different one now and isn't counted")
