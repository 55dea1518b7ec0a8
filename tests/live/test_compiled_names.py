"""Functions that a process compiled itself have the name that its perf map gives them last."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from tests.support.tracing import any_kernel, counted, trace
from tests.support.workloads import Worker

pytestmark = [
    pytest.mark.bpf,
    any_kernel,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the compiled code is for x86-64"),
]

# push rbp; mov rbp,rsp; mov ecx,edi; 1: dec ecx; jnz 1b; pop rbp; ret
COMPILER = """
import ctypes, mmap, time
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("554889e589f9ffc975fc5dc3"))
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
function = ctypes.CFUNCTYPE(None, ctypes.c_int)(address)
with open(f"/tmp/perf-{os.getpid()}.map", "w") as file:
    for line in sys.argv[1:]:
        size, name = line.split()
        print(f"{address:x} {size} {name}", file=file)
def work():
    end = time.process_time() + 1
    while time.process_time() < end: function(3_000_000)
"""


@pytest.mark.parametrize(
    ("lines", "right", "wrong"),
    [
        (("c zz_old_function", "c aa_new_function"), "aa_new_function", "zz_old_function"),
        (("800 old_big_function", "40 new_small_function"), "new_small_function", "old_big_function"),
        (("40 old_small_function", "800 new_big_function"), "new_big_function", "old_small_function"),
    ],
)
def test_the_newest_line_of_a_perf_map_names_a_function(lines: tuple[str, ...], right: str, wrong: str) -> None:
    with Worker(COMPILER, *lines) as worker, trace("cpu/profile", frequency=199, pid=worker.pid) as traced:
        try:
            worker.work()
            assert traced.end() == 0
        finally:
            Path(f"/tmp/perf-{worker.pid}.map").unlink()
    found = traced.stacks(
        "samples",
        pid=worker.pid,
    )
    assert counted(found, wrong) == 0
    assert counted(found, right, "stack lost") >= 0.9 * counted(found)
    assert counted(found, right) > 0.5 * counted(found) > 0
