"""The probe of memory/ counts the faults the kernel accounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.disks import file_system
from tests.support.tracing import any_kernel, trace, variant_of
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# The tracepoints are x86-64's; that kernel has the other variant's events as well.
VARIANTS = ["raw", "software"] if os.uname().machine == "x86_64" else ["software"]

# Pages of our own, never touched before and not joined to huge ones.
TOUCH = """
import mmap
pages = int(sys.argv[1])
memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
memory.madvise(mmap.MADV_NOHUGEPAGE)
def work():
    for page in range(pages): memory[page * mmap.PAGESIZE] = 1
"""


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_new_page_is_a_fault(variant: str) -> None:
    with Worker(TOUCH, 499) as worker, trace(variant_of("memory/pagefaults", variant)) as traced:
        before = worker.faults()
        worker.work()
        faults = worker.faults() - before
    counted = traced.totals("faults", "pid")[worker.pid]
    assert counted["user"] + counted["kernel"] == faults
    assert 499 <= counted.get("writes", counted["user"]) <= counted["user"]
    assert ("writes" in counted) == (variant == "raw")
    assert traced.losses() == {}


# Pages of a file that were dropped from memory, each read from the disk by its own fault.
READ_MAPPED = """
import mmap
with open(sys.argv[1], "wb") as file:
    file.write(bytes(101 * mmap.PAGESIZE))
    os.fsync(file.fileno())
file = os.open(sys.argv[1], os.O_RDONLY)
os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
memory = mmap.mmap(file, 0, prot=mmap.PROT_READ)
memory.madvise(mmap.MADV_RANDOM)
def work():
    for _ in range(2):
        for page in range(101): memory[page * mmap.PAGESIZE]
"""


def test_faults_that_wait_for_a_disk_are_told_apart(tmp_path: Path) -> None:
    with (
        file_system(tmp_path) as (_, place),
        Worker(READ_MAPPED, place / "x") as worker,
        Worker(TOUCH, 101) as other,
        trace("memory/pagefaults") as traced,
    ):
        before = worker.major_faults()
        worker.work()
        major = worker.major_faults() - before
        other.work()
    counted = traced.totals("faults", "pid")
    assert counted[worker.pid]["major"] == major == 101
    assert counted[worker.pid]["user"] >= 101
    assert (counted[other.pid]["major"], counted[other.pid]["user"] >= 101) == (0, True)
    assert traced.losses() == {}


@any_kernel
@pytest.mark.parametrize("param", ["pid", "comm"])
def test_other_processes_are_left_out(param: str) -> None:
    with Worker(TOUCH, 101, name="wanted") as wanted, Worker(TOUCH, 101, name="other") as other:
        value = wanted.pid if param == "pid" else "wanted"
        with trace("memory/pagefaults", **{param: value}) as traced:
            wanted.work()
            other.work()
    assert set(traced.totals("faults", "pid")) == {wanted.pid}
