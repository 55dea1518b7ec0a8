"""Attaches a program to a function of the kernel or of a file with a BPF link: closing its descriptor detaches it.

A program distinguishes its attachments by bpf_get_attach_cookie(). Layouts: linux/bpf.h, libbpf's bpf.h, and the
formats in /sys/bus/event_source/devices/{kprobe,uprobe}. All functions raise `OSError`, `KernelLacks`.
"""

from __future__ import annotations

import ctypes
import os

from ebpftop.kernel import perf
from ebpftop.kernel.libbpf import KernelLacks, checked, library

_FENTRY, _FEXIT, _PERF_EVENT = 24, 25, 41  # enum bpf_attach_type
_RETURN = 1  # config bit: at the return instead of the entry
_SEMAPHORE_SHIFT = 32  # position of the semaphore's offset in config


class _Options(ctypes.Structure):
    """struct bpf_link_create_opts of libbpf 1.0, with the cookie, the first member of its union."""

    _fields_ = (
        ("size", ctypes.c_size_t),
        ("flags", ctypes.c_uint32),
        ("iterator", ctypes.c_void_p),
        ("iterator_size", ctypes.c_uint32),
        ("target_btf_id", ctypes.c_uint32),
        ("cookie", ctypes.c_uint64),
    )


def kprobe(program: int, function: str, *, returns: bool = False, cookie: int = 0, pid: int = -1) -> int:
    """Attach to a kernel function's entry or return, for one process or all."""
    return _event(program, "kprobe", function.encode(), 0, int(returns), cookie, pid)


def uprobe(
    program: int, path: bytes, offset: int, *, returns: bool = False, semaphore: int = 0, cookie: int = 0, pid: int = -1
) -> int:
    """Attach at an offset in a file; `semaphore` is the offset of the USDT counter to raise while attached."""
    return _event(program, "uprobe", path, offset, semaphore << _SEMAPHORE_SHIFT | int(returns), cookie, pid)


def tracing(program: int, *, returns: bool, cookie: int) -> int:
    """Attach an fentry or fexit program to the function it was loaded for."""
    return _link(program, 0, _FEXIT if returns else _FENTRY, cookie)


def _event(program: int, unit: str, name: bytes, offset: int, config: int, cookie: int, pid: int) -> int:
    kind = perf.dynamic_type(unit)
    if kind is None:
        raise KernelLacks(f"this kernel was built without {unit}s", f"use a kernel with CONFIG_{unit.upper()}S")
    event = perf.open_event(kind, config, name=name, offset=offset, pid=pid, cpu=0 if pid < 0 else -1)
    try:
        return _link(program, event, _PERF_EVENT, cookie)
    finally:
        os.close(event)  # the link holds a reference


def _link(program: int, target: int, kind: int, cookie: int) -> int:
    options = _Options(size=ctypes.sizeof(_Options), cookie=cookie)
    return checked(library().bpf_link_create(program, target, kind, ctypes.byref(options)), "attaching")
