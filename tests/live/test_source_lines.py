"""Functions of a program with debugging information have the lines that burned the time."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker

pytestmark = [pytest.mark.bpf, any_kernel]

SOURCE = """
static volatile long sum;
__attribute__((noinline)) void leaf(int n) { for (int i = 0; i < n; i++) sum += i; }
__attribute__((noinline)) void burn(int n) {
    leaf(n);
    sum++;
}
void work(int n) {
    burn(n);
    sum++;
}
"""
SPIN = """
import ctypes, time
library = ctypes.CDLL(sys.argv[1])
def work():
    end = time.process_time() + 1
    while time.process_time() < end: library.work(3_000_000)
"""


@pytest.mark.parametrize("dwarf", ["4", "5"])
def test_a_frame_has_its_line_and_its_caller_that_of_the_call(dwarf: str, public: Path) -> None:
    library = public / "mine.so"
    (public / "burn.c").write_text(SOURCE)
    options = ["-O1", f"-gdwarf-{dwarf}", "-fno-omit-frame-pointer", "-shared", "-fPIC"]
    subprocess.run(["cc", *options, "-o", library, "burn.c"], cwd=public, check=True)
    with Worker(SPIN, library) as worker, trace("cpu/profile", frequency=199, pid=worker.pid) as traced:
        worker.work()
        assert traced.end() == 0
    lines: Counter[tuple[str, str, int]] = Counter()
    for stack in traced.stacks("samples", pid=worker.pid):
        for frame in stack["frames"]:
            lines[frame["name"], frame.get("file", ""), frame.get("line", 0)] += stack["count"]
    burned = {line: count for (name, file, line), count in lines.items() if (name, file) == ("leaf", "burn.c")}
    assert set(burned) == {3}
    called = {line: count for (name, file, line), count in lines.items() if (name, file) == ("work", "burn.c")}
    assert set(called) <= {9, 10}
    assert called[9] > 0.9 * burned[3] > 0
