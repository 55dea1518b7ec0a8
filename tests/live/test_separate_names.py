"""A stripped program's functions have the names that a separate file gives them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.tracing import any_kernel, counted, trace
from tests.support.workloads import Worker

pytestmark = [pytest.mark.bpf, any_kernel]

SOURCE = """
static volatile long sum;
static __attribute__((noinline)) void hidden_work(int n) { for (int i = 0; i < n; i++) sum += i; }
void work(int n) { hidden_work(n); sum++; }
"""
SPIN = """
import ctypes, time
library = ctypes.CDLL(sys.argv[1])
def work():
    end = time.process_time() + 1
    while time.process_time() < end: library.work(3_000_000)
"""


@pytest.mark.parametrize("by", ["build-id", "link", "another build", "another crc"])
def test_a_stripped_librarys_functions_are_named_from_the_file_that_belongs_to_it(by: str, public: Path) -> None:
    library, source, debug = (public / f"mine.{end}" for end in ("so", "c", "debug"))
    source.write_text(SOURCE)
    identity = "--build-id" if by in ("build-id", "another build") else "--build-id=none"
    subprocess.run(
        ["cc", "-O1", "-fno-omit-frame-pointer", "-shared", "-fPIC", f"-Wl,{identity}", "-o", library, source],
        check=True,
    )
    subprocess.run(["objcopy", "--only-keep-debug", library, debug], check=True)
    subprocess.run(["strip", library], check=True)
    if identity == "--build-id":
        notes = subprocess.check_output(["readelf", "-n", library], text=True)
        name = notes.partition("Build ID: ")[2].split()[0]
        place = Path(f"/usr/lib/debug/.build-id/{name[:2]}/{name[2:]}.debug")
        place.parent.mkdir(parents=True, exist_ok=True)
        if by == "another build":
            data = debug.read_bytes()
            debug.write_bytes(data.replace(bytes.fromhex(name), bytes(20)))
        shutil.move(debug, place)
    else:
        place = debug
        subprocess.run(["objcopy", f"--add-gnu-debuglink={debug}", library], check=True)
        if by == "another crc":
            with debug.open("ab") as file:
                file.write(b"more")
    try:
        with Worker(SPIN, library) as worker, trace("cpu/profile", frequency=199, pid=worker.pid) as traced:
            worker.work()
            assert traced.end() == 0
    finally:
        place.unlink()
        if place != debug:
            with contextlib.suppress(OSError):  # others are in it
                place.parent.rmdir()
    found = traced.stacks("samples", pid=worker.pid)
    if by.startswith("another"):
        assert counted(found, "hidden_work") == 0 < counted(found, "")
    else:
        assert counted(found, "hidden_work", "stack lost") >= 0.9 * counted(found)
        assert counted(found, "hidden_work") > 0.5 * counted(found) > 0
