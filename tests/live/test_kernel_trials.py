"""The trials' verdicts against independent evidence, and that nothing of them stays in the kernel."""

from __future__ import annotations

import ctypes
import os
import re
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from ebpftop.kernel import btf, doctor, libbpf, points, tracefs, trial
from tests.support.processes import eventually

pytestmark = pytest.mark.bpf

NAME = b"ebpftop_trial"


@pytest.fixture(scope="module")
def verdicts() -> dict[str, doctor.Check]:
    """The doctor's findings; it mounts tracefs for itself."""
    return {check.check: check for check in doctor.checks()}


@pytest.mark.parametrize("name", ["tracefs", "tracepoint", "raw tracepoint", "perf event", "ring buffer", "statistics"])
def test_what_every_supported_kernel_has(verdicts: dict[str, doctor.Check], name: str) -> None:
    assert verdicts[name].ok, verdicts[name].detail
    assert verdicts[name].remedy == ""


def test_bcc_compiles(verdicts: dict[str, doctor.Check]) -> None:
    assert verdicts["BCC"].ok, verdicts["BCC"].detail
    assert verdicts["BCC"].detail.endswith(", compiles")


def symbols() -> set[str]:
    with open("/proc/kallsyms") as lines:
        return {line.split()[2] for line in lines}


def function_tracer() -> bool:
    """Whether the kernel lets its list of traceable functions be read."""
    script = "mount -t tracefs tracefs /sys/kernel/tracing; read -r f < /sys/kernel/tracing/available_filter_functions"
    return subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, check=False).returncode == 0


def test_kprobes_and_uprobes_work_where_the_kernel_has_the_code(verdicts: dict[str, doctor.Check]) -> None:
    there = symbols()
    assert verdicts["kprobe"].ok == ("perf_kprobe_init" in there), verdicts["kprobe"].detail
    assert verdicts["uprobe"].ok == ("perf_uprobe_init" in there), verdicts["uprobe"].detail


def test_fentry_works_where_functions_can_be_traced(verdicts: dict[str, doctor.Check]) -> None:
    assert verdicts["fentry"].ok == function_tracer(), verdicts["fentry"].detail


def names(following: list[int], open_id: Callable[[int], int], offset: int) -> Iterator[bytes]:
    """Names of programs or maps by ids, from struct bpf_prog_info or bpf_map_info."""
    for number in following:
        fd = open_id(number)
        if fd < 0:
            continue  # gone since
        info, size = ctypes.create_string_buffer(256), ctypes.c_uint32(256)
        libbpf.checked(libbpf.library().bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size)), "info")
        os.close(fd)
        yield struct.unpack_from("16s", info, offset)[0].rstrip(b"\0")


def left() -> list[bytes]:
    lib = libbpf.library()
    programs = names(libbpf.program_ids(), lib.bpf_prog_get_fd_by_id, 64)
    maps = names(libbpf.map_ids(), lib.bpf_map_get_fd_by_id, 24)
    return [name for name in (*programs, *maps) if name == NAME]


def test_nothing_is_left_in_the_kernel() -> None:
    with ExitStack() as held:
        trial._load(held, trial._RAW_TRACEPOINT)
        trial._ring_buffer(held)
        assert left() == [NAME, NAME]
    before = len(os.listdir("/proc/self/fd"))
    for mechanism in trial.MECHANISMS:
        trial.trial(mechanism)
    assert len(os.listdir("/proc/self/fd")) == before
    eventually(lambda: left() == [], "no program or map of a trial is left")


def test_points_in_tracefs() -> None:
    """In a child, as the mount must not be seen here."""
    child = os.fork()
    if child == 0:
        tracefs.private_mounts()
        tracefs.mount_private()
        found = [
            points.missing("tracepoint", "sched:sched_switch"),
            points.missing("tracepoint", "sched:no_such"),
        ]
        os._exit(0 if found == [None, "this kernel has no tracepoint sched:no_such"] else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.needs("kprobe")
def test_functions_for_kprobes() -> None:
    assert points.missing("kprobe", "vfs_read") is None
    child = os.fork()
    if child == 0:
        tracefs.private_mounts()
        tracefs.mount_private()
        reason = points.missing("kretprobe", "no_such_function")
        os._exit(0 if reason == "this kernel has no traceable function no_such_function: renamed or inlined" else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_tracepoints_of_loaded_modules() -> None:
    modules = [path for path in btf.VMLINUX.parent.iterdir() if path != btf.VMLINUX]
    found = [name for path in modules for name in re.findall(rb"\0btf_trace_(\w+)\0", path.read_bytes())]
    if not found:
        pytest.skip("no module with tracepoints is loaded")
    name = found[0].decode()
    assert btf.running().tracepoint_args(name) is None
    assert points.missing("raw_tracepoint", name) is None
    reason = points.missing("raw_tracepoint", name, ("struct no_such *",))
    assert reason is not None
    assert reason.startswith(f"{name} has a different prototype here: (")
