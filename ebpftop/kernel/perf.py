"""perf_event_open(2): the events to which classic tracepoints, kprobes, uprobes and sampling attach. Layout:
linux/perf_event.h.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import time
from pathlib import Path

from ebpftop.kernel.libbpf import KernelLacks, failure

SOFTWARE_EVENTS = {
    "cpu-clock": 0,
    "task-clock": 1,
    "page-faults": 2,
    "context-switches": 3,
    "cpu-migrations": 4,
    "minor-faults": 5,
    "major-faults": 6,
    "alignment-faults": 7,
    "emulation-faults": 8,
}
"""PERF_COUNT_SW_* by their names in perf(1)."""

TYPE_SOFTWARE, TYPE_TRACEPOINT = 1, 2
_DUMMY = 9  # PERF_COUNT_SW_DUMMY: it counts nothing
_SAMPLE_TIME = 1 << 2
_FLAG_FREQUENCY = 1 << 10
_FLAGS_OF_MEMORY = sum(1 << bit for bit in (0, 8, 9, 13, 14, 18, 23, 24, 25))
"""disabled, mmap, comm, task, watermark, sample_id_all, mmap2, comm_exec, use_clockid."""
_FLAG_CLOEXEC = 8
_IOC_ENABLE, _IOC_SET_BPF = 0x2400, 0x40042408
_SYSTEM_CALL = {"x86_64": 298, "aarch64": 241}


class _Attr(ctypes.Structure):
    """struct perf_event_attr up to clockid (PERF_ATTR_SIZE_VER3)."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("sample_period_or_freq", ctypes.c_uint64),
        ("sample_type", ctypes.c_uint64),
        ("read_format", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
        ("wakeup", ctypes.c_uint32),
        ("bp_type", ctypes.c_uint32),
        ("config1", ctypes.c_uint64),
        ("config2", ctypes.c_uint64),
        ("branch_sample_type", ctypes.c_uint64),
        ("sample_regs_user", ctypes.c_uint64),
        ("sample_stack_user", ctypes.c_uint32),
        ("clockid", ctypes.c_int32),
    )


def dynamic_type(unit: str) -> int | None:
    """Type number of the event source "kprobe" or "uprobe"; None if the kernel was built without it."""
    try:
        return int(Path(f"/sys/bus/event_source/devices/{unit}/type").read_text())
    except OSError:
        return None


def open_event(
    kind: int,
    config: int,
    *,
    name: bytes | None = None,
    offset: int = 0,
    frequency: int = 0,
    pid: int = -1,
    cpu: int = 0,
) -> int:
    """Open an event and return its descriptor. `name` and `offset`: a function, or a file and an offset in it.

    A pid of -1 means every process, on one CPU; a cpu of -1 means every CPU, for one process. Raises OSError, and
    `KernelLacks` on an architecture whose system call number isn't known here.
    """
    text = ctypes.create_string_buffer(name) if name is not None else None
    attr = _Attr(
        type=kind,
        size=ctypes.sizeof(_Attr),
        config=config,
        sample_period_or_freq=frequency,
        flags=_FLAG_FREQUENCY if frequency else 0,
        config1=ctypes.addressof(text) if text is not None else 0,
        config2=offset,
    )
    return _opened(attr, pid, cpu)


def open_memory_events(cpu: int, *, wake_at: int) -> int:
    """Open an event that reports forks, executed programs, executable mappings and exits of processes on a CPU,
    disabled; with boottime. wake_at: bytes in its ring at which it becomes readable. Raises as `open_event` does.
    """
    attr = _Attr(
        type=TYPE_SOFTWARE,
        size=ctypes.sizeof(_Attr),
        config=_DUMMY,
        sample_type=_SAMPLE_TIME,
        flags=_FLAGS_OF_MEMORY,
        wakeup=wake_at,
        clockid=time.CLOCK_BOOTTIME,
    )
    return _opened(attr, -1, cpu)


def _opened(attr: _Attr, pid: int, cpu: int) -> int:
    number = _SYSTEM_CALL.get(os.uname().machine)
    if number is None:
        raise KernelLacks(f"{os.uname().machine} is not supported", "use an x86-64 or arm64 machine")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    fd = libc.syscall(ctypes.c_long(number), ctypes.byref(attr), pid, cpu, -1, ctypes.c_ulong(_FLAG_CLOEXEC))
    if fd < 0:
        raise failure(ctypes.get_errno(), "perf_event_open")
    return int(fd)


def attach(event: int, program: int) -> None:
    """Run a program on an event until the event is closed. Raises OSError."""
    try:
        fcntl.ioctl(event, _IOC_SET_BPF, program)
        fcntl.ioctl(event, _IOC_ENABLE, 0)
    except OSError as error:
        raise failure(error.errno or 0, "attaching to a perf event") from None
