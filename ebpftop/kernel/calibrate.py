"""Measures an attachment's overhead in addition to its program's run time; the kernel doesn't account for it.

A uprobe stops the process with a breakpoint, which can take hundreds of times as long as the program itself.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable

from ebpftop.kernel import link, trial
from ebpftop.kernel.libbpf import KernelLacks

_CALLS, _ROUNDS = 50, 5
_KINDS = {
    "kprobe": ("kprobe", False),
    "kretprobe": ("kprobe", True),
    "uprobe": ("uprobe", False),
    "usdt": ("uprobe", False),
    "uretprobe": ("uprobe", True),
}


def attachment_ns(mechanism: str) -> int:
    """Nanoseconds that an attachment with an empty program adds to a call; 0 if that is negligible or unknown."""
    if mechanism not in _KINDS:
        return 0
    unit, returns = _KINDS[mechanism]
    call = ctypes.CDLL(None).getpid
    try:
        with trial.empty_program() as program:
            before = _fastest(call)
            attached = _attach(unit, program, returns)
            try:
                return max(0, _fastest(call) - before)
            finally:
                os.close(attached)
    except (OSError, KernelLacks):
        return 0


def _attach(unit: str, program: int, returns: bool) -> int:
    """Attach to this process's own calls of getpid."""
    if unit == "kprobe":
        function = {"x86_64": "__x64_sys_getpid", "aarch64": "__arm64_sys_getpid"}[os.uname().machine]
        return link.kprobe(program, function, returns=returns, pid=os.getpid())
    file, offset, _ = trial.place_of_getpid()
    return link.uprobe(program, file, offset, returns=returns, pid=os.getpid())


def _fastest(call: Callable[[], int]) -> int:
    """Nanoseconds per call in the fastest round."""
    rounds = []
    for _ in range(_ROUNDS):
        begin = time.perf_counter_ns()
        for _ in range(_CALLS):
            call()
        rounds.append(time.perf_counter_ns() - begin)
    return min(rounds) // _CALLS
