"""Probes of interrupts beside the kernel's own counters, under a flood of them on every CPU."""

from __future__ import annotations

import contextlib
import os

import pytest

from tests.support.interrupts import hardirqs, softirqs
from tests.support.tracing import any_kernel, trace
from tests.support.witness import unseen
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# ---------------------------------------------------------------- softirqs

FLOOD = 20_011

# Sends datagrams to itself until the machine has received so many times; a receive may take several.
DATAGRAMS = """
import socket
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("127.0.0.1", 0))
def received():
    with open("/proc/softirqs") as file: line, = (line for line in file if "NET_RX" in line)
    return sum(map(int, line.split()[1:]))
def work():
    end = received() + int(sys.argv[1])
    while received() < end:
        for _ in range(211): one.sendto(b"x", one.getsockname())  # what doesn't fit into its buffer is dropped
"""


@any_kernel
def test_a_flood_of_soft_interrupts_is_that_of_proc() -> None:
    cpus = sorted(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(DATAGRAMS, FLOOD, cpu=cpu)) for cpu in cpus]
        unseen_by_us = stack.enter_context(unseen("irq/softirq_exit"))
        before = softirqs()
        with trace("irq/softirqs") as traced:
            first = softirqs()
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.finish()
            last = softirqs()
        after = softirqs()
        hidden = unseen_by_us()
    assert last["NET_RX"] - first["NET_RX"] >= FLOOD
    edges = len(cpus)  # on each, one may be running, counted but not ended, at either end
    for kind in before:
        ran, delayed = traced.count("run time", vector=kind), traced.count("delay", vector=kind)
        assert last[kind] - first[kind] - edges - hidden <= ran <= after[kind] - before[kind] + edges, kind
        assert delayed <= ran + edges, kind
    assert traced.count("delay", vector="NET_RX") >= last["NET_RX"] - first["NET_RX"] - edges - hidden
    assert traced.losses() == {}


# ---------------------------------------------------------------- hardirqs

INTERRUPTS = 4_001

# Reads the first page of so many programs, one after another, from whatever this machine has them on.
READ = """
names = [entry.path for entry in sorted(os.scandir("/usr/bin"), key=lambda entry: entry.name) if entry.is_file()]
files = [os.open(name, os.O_RDONLY) for name in names[:int(sys.argv[1])]]
for file in files: os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
def work():
    for file in files:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.pread(file, 1, 0)
"""


@any_kernel
def test_a_flood_of_interrupts_is_that_of_proc() -> None:
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(READ, 211)) for _ in range(4)]
        unseen_by_us = stack.enter_context(unseen("irq/irq_handler_exit"))
        before = hardirqs()
        with trace("irq/hardirqs") as traced:
            first = last = hardirqs()
            for _ in range(1_000):  # more than enough
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.finish()
                last = hardirqs()
                if sum(last.values()) - sum(first.values()) >= INTERRUPTS:
                    break
        after = hardirqs()
        hidden = unseen_by_us()
    assert sum(last.values()) - sum(first.values()) >= INTERRUPTS
    table = traced.totals("interrupts", "irq")
    for number, name in before:
        counted = table.get(int(number), {"interrupts": 0})["interrupts"]
        # one may be running, counted but not ended, at either end
        least, most = last[number, name] - first[number, name] - 1, after[number, name] - before[number, name] + 1
        assert least - hidden <= counted <= most
        assert traced.count("run time", irq=int(number), name=name) == counted
    assert traced.losses() == {}
