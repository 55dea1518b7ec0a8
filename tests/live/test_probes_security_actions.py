"""security/killsnoop, security/bpfsnoop, security/ptracesnoop and security/modules see what one process does to others,
or to the kernel."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# ---------------------------------------------------------------- killsnoop

# 5 signals by kill, 7 by tgkill, 3 that are ignored, and one of the kernel itself
SEND = """
import signal, threading
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
signal.signal(signal.SIGPIPE, lambda *_: None)
def work():
    target = int(sys.argv[1])
    for _ in range(5): os.kill(target, signal.SIGUSR2)
    for _ in range(7): signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    reading, writing = os.pipe()
    os.close(reading)
    try: os.write(writing, b"x")
    except BrokenPipeError: pass
    os.close(writing)
    if not (child := os.fork()): os._exit(0)
    os.waitpid(child, 0)
"""
IDLE = "import signal\nsignal.signal(signal.SIGUSR2, signal.SIG_IGN)\ndef work(): pass"


def test_signals_are_told_with_their_sender_target_and_fate() -> None:
    with (
        Worker(IDLE, name="target") as target,
        Worker(SEND, target.pid) as worker,
        trace("security/killsnoop") as traced,
    ):
        worker.work()
    sent = traced.events(target=target.pid)
    assert [(row["pid"], row["signal"], row["target_comm"], row["origin"], row["result"]) for row in sent] == [
        (worker.pid, "SIGUSR2", "target", "kill", "ignored")
    ] * 5
    own = traced.events(pid=worker.pid, target=worker.pid)
    assert [(row["signal"], row["origin"], row["result"]) for row in own] == [("SIGUSR1", "tkill", "")] * 7 + [
        ("SIGPIPE", "kernel", "")
    ]
    assert traced.events(signal="SIGCHLD") == []
    assert traced.losses() == {}


@any_kernel
def test_only_one_signal_to_one_process() -> None:
    with (
        Worker(IDLE) as target,
        Worker(SEND, target.pid) as worker,
        trace("security/killsnoop", signal=signal.SIGCHLD.value, target=worker.pid) as traced,
    ):
        worker.work()
    assert [(row["signal"], row["target"], row["origin"]) for row in traced.events()] == [
        ("SIGCHLD", worker.pid, "kernel")
    ]


# ---------------------------------------------------------------- bpfsnoop

# 7 arrays, 3 maps of a type that isn't one, 5 readings
BPF = """
import ctypes, platform, struct
libc = ctypes.CDLL(None)
number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
def bpf(command, attributes):
    return libc.syscall(number, command, ctypes.create_string_buffer(attributes), len(attributes))
def create(kind, name): return bpf(0, struct.pack("=7I16s", kind, 4, 8, 1, 0, 0, 0, name))
key, value = ctypes.create_string_buffer(4), ctypes.create_string_buffer(8)
def work():
    for _ in range(7): fd = create(2, b"seven")
    for _ in range(3): create(9999, b"three")
    for _ in range(5): bpf(1, struct.pack("=IIQQQ", fd, 0, ctypes.addressof(key), ctypes.addressof(value), 0))
"""


@pytest.mark.parametrize("reads", ["false", pytest.param("true", marks=any_kernel)])
def test_maps_made_are_told_by_type_and_name(reads: str) -> None:
    with Worker(BPF) as worker, trace("security/bpfsnoop", pid=worker.pid, reads=reads) as traced:
        worker.work()
    rows = traced.events()
    assert [(row["command"], row["type"], row["name"], row["result"]) for row in rows] == [
        ("MAP_CREATE", "ARRAY", "seven", "")
    ] * 7 + [("MAP_CREATE", "9999", "three", "EINVAL")] * 3 + [("MAP_LOOKUP_ELEM", "", "", "")] * 5 * (reads == "true")
    assert {(row["pid"], row["user"]) for row in rows} == {(worker.pid, "root")}
    assert traced.losses() == {}


def test_programs_loaded_and_attached_are_told() -> None:
    """Another probe, loaded meanwhile."""
    with trace("security/bpfsnoop") as traced, trace("lab/hello"):
        pass
    assert traced.events(command="PROG_LOAD", type="RAW_TRACEPOINT", name="on_switch", result="")
    assert traced.events(command="MAP_CREATE", type="HASH", name="switches", result="")
    assert traced.events(command="RAW_TRACEPOINT_OPEN", name="sched_switch", result="")


# ---------------------------------------------------------------- ptracesnoop

# 3 times under control, 2 that can't be, 5 looks into its memory
TRACE = """
import ctypes, struct
libc = ctypes.CDLL(None)
libc.ptrace.argtypes = [ctypes.c_long] * 4
target = int(sys.argv[1])
byte = ctypes.create_string_buffer(1)
part = ctypes.create_string_buffer(struct.pack("=QQ", ctypes.addressof(byte), 1))
nowhere = ctypes.create_string_buffer(struct.pack("=QQ", 0, 1))
def work():
    for _ in range(3):
        libc.ptrace(16, target, 0, 0)
        os.waitpid(target, 0x40000000)
        libc.ptrace(17, target, 0, 0)
    for _ in range(2): libc.ptrace(16, 1 << 22, 0, 0)
    for _ in range(5): libc.process_vm_readv(target, part, 1, nowhere, 1, 0)
"""


def test_who_takes_control_of_a_process_is_told() -> None:
    with Worker(IDLE) as target, Worker(TRACE, target.pid) as worker, trace("security/ptracesnoop") as traced:
        worker.work()
    rows = traced.events(pid=worker.pid)
    assert [(row["request"], row["target"], row["result"]) for row in rows] == (
        [("ATTACH", target.pid, "")] * 3
        + [("ATTACH", 1 << 22, "ESRCH")] * 2
        + [("process_vm_readv", target.pid, "EFAULT")] * 5
    )
    assert traced.losses() == {}


@any_kernel
def test_all_that_is_done_to_one_process() -> None:
    with (
        Worker(IDLE) as target,
        Worker(TRACE, target.pid) as worker,
        trace("security/ptracesnoop", target=target.pid, all="true") as traced,
    ):
        worker.work()
    assert [row["request"] for row in traced.events()] == ["ATTACH", "DETACH"] * 3 + ["process_vm_readv"] * 5


# ---------------------------------------------------------------- modules

KERNELS = Path.home() / ".cache/ebpftop/kernels"  # of `make test-kernels`, whose guests have no modules of their own


def modules_of_this_kernel() -> Path | None:
    """The root of the file system they lie in, as modprobe takes it."""
    roots = [Path("/"), *KERNELS.glob("*")]
    return next((root for root in roots if (root / "lib/modules" / os.uname().release / "modules.dep").exists()), None)


def test_modules_are_told_as_they_come_and_go() -> None:
    if (root := modules_of_this_kernel()) is None:
        pytest.skip("no modules of this kernel are installed")
    with trace("security/modules") as traced:
        for _ in range(3):
            subprocess.run(["/sbin/modprobe", "-d", root, "dummy"], check=True)
            subprocess.run(["/sbin/rmmod", "dummy"], check=True)
    rows = traced.events(module="dummy")
    assert [(row["action"], row["comm"], row["user"]) for row in rows] == [
        ("load", "modprobe", "root"),
        ("remove", "rmmod", "root"),
    ] * 3
    assert traced.losses() == {}
