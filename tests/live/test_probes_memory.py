"""The probe of memory/ counts the faults the kernel accounts."""

from __future__ import annotations

import pytest

from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# Pages of our own, never touched before and not joined to huge ones.
TOUCH = """
import mmap
pages = int(sys.argv[1])
memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
memory.madvise(mmap.MADV_NOHUGEPAGE)
def work():
    for page in range(pages): memory[page * mmap.PAGESIZE] = 1
"""


def test_each_new_page_is_a_fault() -> None:
    with Worker(TOUCH, 499) as worker, trace("memory/pagefaults") as traced:
        before = worker.faults()
        worker.work()
        faults = worker.faults() - before
    counted = traced.totals("faults", "pid")[worker.pid]
    assert counted["user"] + counted["kernel"] == faults
    assert 499 <= counted["writes"] <= counted["user"]
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
