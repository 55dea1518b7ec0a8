"""The kernel's own count of a tracepoint, as independent evidence for a probe's count; see perf_event_open(2)."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec

from tests.support.holding import TRACEFS, WITH_TRACEFS

P = ParamSpec("P")

_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
_TRACEPOINT = 2  # PERF_TYPE_TRACEPOINT
_SIZE = 64  # PERF_ATTR_SIZE_VER0 of struct perf_event_attr
_SET_FILTER = 0x40082406  # PERF_EVENT_IOC_SET_FILTER

PACKETS = (
    "net/net_dev_start_xmit",
    "net/netif_receive_skb",
    "qdisc/qdisc_dequeue",
    "skb/kfree_skb",
    "sock/inet_sock_set_state",
    "tcp/tcp_retransmit_skb",
)
"""What timers and interrupts do with packets, whoever has the CPU."""


@contextlib.contextmanager
def counted(tracepoint: str, where: str = "") -> Iterator[Callable[[], int]]:
    """A function that returns how often the tracepoint ("CATEGORY/EVENT") was passed on any CPU since the `with`.

    `where` is a filter of its fields, in the kernel's own syntax.
    """
    read_id = f"{WITH_TRACEFS}cat {TRACEFS}/events/{tracepoint}/id"
    number = int(subprocess.run(["unshare", "-m", "sh", "-c", read_id], capture_output=True, check=True).stdout)
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = struct.pack(f"IIQ{_SIZE - 16}x", _TRACEPOINT, _SIZE, number)
    counters = []
    try:
        for cpu in sorted(os.sched_getaffinity(0)):
            counter = libc.syscall(_PERF_EVENT_OPEN[platform.machine()], attributes, -1, cpu, -1, 0)
            if counter < 0 or (where and libc.ioctl(counter, _SET_FILTER, where.encode())):
                raise OSError(ctypes.get_errno(), f"counting {tracepoint}")
            counters.append(counter)
        yield lambda: sum(struct.unpack("Q", os.read(counter, 8))[0] for counter in counters)
    finally:
        for counter in counters:
            os.close(counter)


@contextlib.contextmanager
def unseen(*tracepoints: str) -> Iterator[Callable[[], int]]:
    """A function that returns how often these were passed in interrupts of process 1.

    The kernel of a sandbox may hide its own init: while that runs on the CPU, no BPF program runs, and no miss is
    counted.
    """
    names = {file.read_text().strip() for file in Path("/proc/1/task").glob("*/comm")}
    where = " || ".join(f'COMM == "{name}"' for name in sorted(names))
    with contextlib.ExitStack() as stack:
        counters = [stack.enter_context(counted(tracepoint, where)) for tracepoint in tracepoints]
        yield lambda: sum(counter() for counter in counters)


def unless_unseen(*tracepoints: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Decorates a test: it is retried, up to three times in all, if it fails and some of these were `unseen`."""

    def decorate(test: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(test)
        def tried(*args: P.args, **kwargs: P.kwargs) -> None:
            for _ in range(2):
                with unseen(*tracepoints) as hidden:
                    try:
                        return test(*args, **kwargs)
                    except AssertionError:
                        if not hidden():
                            raise
            return test(*args, **kwargs)

        return tried

    return decorate
