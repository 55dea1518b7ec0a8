"""application/iouring counts and times requests by operation, and who submitted them."""

from __future__ import annotations

import ctypes
import errno
import os

import pytest

from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker


def _unavailable() -> str:
    """Why nothing can be submitted here, or ""."""
    ring = ctypes.CDLL(None, use_errno=True).syscall(425, 1, ctypes.create_string_buffer(120))
    if ring < 0:
        return f"no io_uring here: {errno.errorcode[ctypes.get_errno()]}"
    os.close(ring)
    return ""


pytestmark = [pytest.mark.bpf, pytest.mark.skipif(bool(_unavailable()), reason=_unavailable())]

TIMEOUT = 20_000_000  # ns

# See io_uring_setup(2): one request after the other, each completed before the next.
RING = """
import ctypes, mmap, struct
libc = ctypes.CDLL(None, use_errno=True)
parameters = ctypes.create_string_buffer(120)
ring = libc.syscall(425, 8, parameters)
entries, completions = struct.unpack_from("II", parameters)
tail, mask, array = (struct.unpack_from("I", parameters, 40 + at)[0] for at in (4, 8, 24))
done, arrived, done_mask, results = (struct.unpack_from("I", parameters, 80 + at)[0] for at in (0, 4, 8, 20))
queues = mmap.mmap(ring, max(array + 4 * entries, results + 16 * completions))
slots = mmap.mmap(ring, 64 * entries, offset=0x10000000)
def number(at): return struct.unpack_from("I", queues, at)[0]
def request(operation, file=-1, address=0, length=0):
    at = number(tail)
    slot = at & number(mask)
    slots[64 * slot : 64 * slot + 64] = struct.pack("BBHiQQIIQ24x", operation, 0, 0, file, 0, address, length, 0, 7)
    struct.pack_into("I", queues, array + 4 * slot, slot)
    struct.pack_into("I", queues, tail, at + 1)
    assert libc.syscall(426, ring, 1, 1, 1, None, 0) == 1
    at = number(done)
    assert number(arrived) == at + 1
    mark, result = struct.unpack_from("Qi", queues, results + 16 * (at & number(done_mask)))
    assert mark == 7
    struct.pack_into("I", queues, done, at + 1)
    return result
"""
WORK = (
    RING
    + """
zero = os.open("/dev/zero", os.O_RDONLY)
room = ctypes.create_string_buffer(101)
while_away = (ctypes.c_long * 2)(0, int(sys.argv[1]))
def work():
    for _ in range(23): assert request(0) == 0
    for _ in range(7): assert request(22, zero, ctypes.addressof(room), 101) == 101
    for _ in range(3): assert request(22, 1000, ctypes.addressof(room), 101) == -9
    for _ in range(5): assert request(11, -1, ctypes.addressof(while_away), 1) == -62
"""
)


def test_requests_are_counted_and_timed_by_operation() -> None:
    with (
        Worker(WORK, TIMEOUT) as worker,
        Worker(WORK, TIMEOUT) as other,
        trace("application/iouring", pid=worker.pid) as traced,
    ):
        worker.work()
        other.work()
    told = traced.totals("operations", "operation")
    assert {name: (sums["requests"], sums["failed"]) for name, sums in told.items()} == {
        "NOP": (23, 0),
        "READ": (7 + 3, 3),
        "TIMEOUT": (5, 5),  # ETIME is how it ends
    }
    assert told["TIMEOUT"]["took"] >= 5 * TIMEOUT
    assert set(traced.totals("operations", "pid")) == {worker.pid}
    counts = {name: traced.count("latency", pid=worker.pid, operation=name) for name in told}
    assert counts == {"NOP": 23, "READ": 10, "TIMEOUT": 5}
    assert traced.count("latency") == sum(counts.values())
    assert min(high for _, high in traced.buckets("latency", operation="TIMEOUT")) > TIMEOUT
    assert traced.losses() == {}


@any_kernel
def test_requests_of_threads_by_name() -> None:
    with (
        Worker(WORK, 1, name="submitting") as worker,
        Worker(WORK, 1) as other,
        trace("application/iouring", comm="submitting") as traced,
    ):
        worker.work()
        other.work()
    assert {pid: sums["requests"] for pid, sums in traced.totals("operations", "pid").items()} == {worker.pid: 38}
