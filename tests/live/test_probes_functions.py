"""Functions of the kernel and of programs, chosen by name or pattern, are counted and timed exactly."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.command import ebpftop
from tests.support.elf_file import elf, note, write
from tests.support.tracing import PROBES, any_kernel, trace, variant_of
from tests.support.workloads import Worker, run_programs

pytestmark = pytest.mark.bpf

LIBC = "import ctypes\nlibc = ctypes.CDLL(None)\n"
ABS = LIBC + "def work():\n    for _ in range(23): libc.labs(-7)\n    for _ in range(11): libc.abs(-7)"
USLEEP = LIBC + "def work():\n    for _ in range(7): libc.usleep(20_000)"
PARENTS = "def work():\n    for _ in range(23): os.getppid()\n    for _ in range(11): os.getpgid(0)"
SLEEP = "import time\ndef work():\n    for _ in range(7): time.sleep(0.02)"
COLLECT = "def work():\n    for _ in range(11): gc.collect(0)"
NS = 20_000_000
KERNEL = [pytest.param(kind, marks=pytest.mark.needs(kind)) for kind in ("fentry", "kprobe")]


# ---------------------------------------------------------------- of programs and libraries


@pytest.mark.needs("uprobe")
def test_calls_of_a_librarys_functions_by_pattern() -> None:
    with (
        Worker(ABS) as worker,
        Worker(ABS) as other,
        trace("application/funccount", binary="libc", symbol="?abs", pid=worker.pid) as traced,
    ):
        worker.work()
        other.work()
    assert traced.totals("calls", "point") == {"labs": {"calls": 23}}
    assert traced.losses() == {}


@pytest.mark.needs("uprobe")
@any_kernel
def test_calls_by_all_processes_of_what_one_of_them_uses() -> None:
    with (
        Worker(ABS) as worker,
        Worker(ABS) as other,
        trace("application/funccount", binary="libc", symbol="abs") as traced,
    ):
        worker.work()
        other.work()
        other.work()
    totals = traced.totals("calls", "pid")
    assert (totals[worker.pid], totals[other.pid]) == ({"calls": 11}, {"calls": 22})


@pytest.mark.needs("uprobe")
def test_the_time_in_a_librarys_function_and_what_its_breakpoints_take() -> None:
    with (
        Worker(USLEEP) as worker,
        trace("application/funclatency", pid=worker.pid, binary="libc", symbol="usleep") as told,
    ):
        worker.work()
    assert told.count("latency", pid=worker.pid, point="usleep") == 7
    assert all(high > NS for _, high in told.buckets("latency"))
    cost = told.lines[-1]["cost"]
    assert cost["run_count"] == 14
    assert cost["attachment_ns"] > cost["run_count"] * 100  # no breakpoint takes less
    assert told.losses() == {}


@pytest.mark.needs("uprobe")
def test_garbage_collections_of_a_python_with_static_probes() -> None:
    with Worker(COLLECT) as worker, Worker(COLLECT) as other, trace("application/gc", pid=worker.pid) as traced:
        worker.work()
        other.work()
    assert (traced.variant, traced.count("latency"), traced.count("latency", pid=worker.pid)) == ("python", 11, 11)
    assert traced.losses() == {}


@pytest.mark.needs("uprobe")
@any_kernel
def test_static_probes_with_a_semaphore_in_a_program_of_any_language(tmp_path: Path) -> None:
    """Machine code that passes its two probes 13 times, and only while somebody listens: it looks at the semaphore."""
    code = bytes.fromhex(
        "b90d000000"  # mov ecx, 13
        "6683 3c25 00204000 00"  # again: cmp word [0x402000], 0
        "7402"  # je past the probes
        "90 90"  # gc__start, gc__done
        "ffc9 75ef"  # dec ecx; jnz again
        "b83c000000 31ff 0f05"  # exit(0)
    )
    notes = note(b"python", b"gc__start", 0x401010, semaphore=0x402000)
    notes += note(b"python", b"gc__done", 0x401011, semaphore=0x402000)
    program = write(tmp_path / "program", elf({}, notes, code=code, writable=True))
    run_programs(1, str(program))
    with trace("application/gc", binary=program) as traced:
        pids = run_programs(3, str(program))
    assert [traced.count("latency", pid=pid) for pid in pids] == [13, 13, 13]


class Collecting(NamedTuple):
    """Machine code with the three static probes of a collection, which it passes 13 times, and the collector's name, to
    which a register points. probes: where they are.
    """

    machine: int
    code: bytes
    probes: tuple[int, int, int]
    register: str

    def program(self, path: Path, argument: str | None) -> Path:
        """argument: where the name is said to be. None: nowhere that anybody could understand."""
        begin, pool, end = self.probes
        notes = note(b"hotspot", b"gc__begin", begin)
        told = argument or f"8@{self.register};}}"
        notes += note(b"hotspot", b"mem__pool__gc__begin", pool, arguments=f"{told} 8@{self.register}".encode())
        notes += note(b"hotspot", b"gc__end", end)
        return write(path, elf({}, notes, code=self.code, machine=self.machine))


NAME = b"Copy".ljust(16, b"\0") + (0x401030).to_bytes(8, "little")  # at 0x401030
X86_64 = Collecting(
    62,
    bytes.fromhex(
        "b90d000000"  # mov ecx, 13
        "49be 3010400000000000"  # mov r14, 0x401030
        "90 90 90"  # again: gc__begin, mem__pool__gc__begin, gc__end
        "ffc9 75f9"  # dec ecx; jnz again
        "b83c000000 31ff 0f05"  # exit(0)
    ).ljust(0x30, b"\0")
    + NAME,
    (0x40100F, 0x401010, 0x401011),
    "%r14",
)
ARM64 = Collecting(
    183,
    struct.pack(
        "<11I",
        *(0x528001A1, 0xD2820613, 0xF2A00813),  # mov w1, 13; mov x19, 0x1030; movk x19, 0x40, lsl 16
        *(0xD503201F, 0xD503201F, 0xD503201F),  # again: gc__begin, mem__pool__gc__begin, gc__end
        *(0x71000421, 0x54FFFF81),  # subs w1, w1, 1; b.ne again
        *(0xD2800BA8, 0xD2800000, 0xD4000001),  # exit(0)
    ).ljust(0x30, b"\0")
    + NAME,
    (0x40100C, 0x401010, 0x401014),
    "x19",
)
COLLECTING = {"x86_64": X86_64, "aarch64": ARM64}[os.uname().machine]
IN_MEMORY, CONSTANT = {"x86_64": ("8@16(%r14)", f"-8@${0x401030}"), "aarch64": ("8@[x19, 16]", f"-8@{0x401030}")}[
    os.uname().machine
]


@pytest.mark.needs("uprobe")
@pytest.mark.parametrize(
    "argument",
    [
        f"8@{COLLECTING.register}",
        pytest.param(IN_MEMORY, marks=any_kernel),
        pytest.param(CONSTANT, marks=any_kernel),
    ],
)
def test_collections_of_a_jvm_by_collector(argument: str, tmp_path: Path) -> None:
    program = COLLECTING.program(tmp_path / "program", argument)
    with trace("application/jvmgc", binary=program) as traced:
        pids = run_programs(3, str(program))
    assert [traced.count("pauses", pid=pid, collector="Copy") for pid in pids] == [13, 13, 13]
    assert traced.count("pauses") == 39
    assert traced.losses() == {}


@pytest.mark.needs("uprobe")
@any_kernel
def test_a_jvm_whose_arguments_are_not_understood_has_no_names(tmp_path: Path) -> None:
    program = COLLECTING.program(tmp_path / "program", None)
    with trace("application/jvmgc", binary=program) as traced:
        (pid,) = run_programs(1, str(program))
    assert traced.count("pauses", pid=pid, collector="") == 13


# ---------------------------------------------------------------- of the kernel


@pytest.mark.parametrize("variant", KERNEL)
def test_calls_of_the_kernels_functions_by_pattern(variant: str) -> None:
    probe = variant_of("application/funccount", variant)
    with (
        Worker(PARENTS) as worker,
        trace(probe, function="__*_sys_getp[pg]id", pid=worker.pid) as told,
    ):
        worker.work()
    totals = {str(name).rpartition("_")[2]: total["calls"] for name, total in told.totals("calls", "point").items()}
    assert totals == {"getppid": 23, "getpgid": 11}
    assert told.losses() == {}


@pytest.mark.parametrize("variant", KERNEL)
def test_the_time_in_a_function_of_the_kernel(variant: str) -> None:
    probe = variant_of("application/funclatency", variant)
    with (
        Worker(SLEEP) as worker,
        Worker(SLEEP) as other,
        trace(probe, function="hrtimer_nanosleep", pid=worker.pid) as told,
    ):
        worker.work()
        other.work()
    assert told.count("latency", point="hrtimer_nanosleep") == told.count("latency", pid=worker.pid) == 7
    assert all(high > NS for _, high in told.buckets("latency"))
    assert told.losses() == {}


@pytest.mark.parametrize("probe", ["security/capable", "application/funccount"])
def test_programs_of_fentry_are_found_under_the_names_of_any_bcc(probe: str) -> None:
    """Where the kernel has no fentry, it refuses them after they were found."""
    done = ebpftop("check", PROBES / probe)
    assert done.returncode == 0, done.stdout
    assert re.search("^(fentry|fexit): (verified|unavailable: this kernel refuses)", done.stdout, re.MULTILINE), (
        done.stdout
    )


CALLS_OF_OWN = """
import ctypes
library = ctypes.CDLL(sys.argv[1])
def work():
    for _ in range(23): library.work(0)
"""


@pytest.mark.needs("uprobe")
@pytest.mark.parametrize("replaced", [False, True])
def test_with_a_process_a_path_is_the_file_it_has_mapped_though_deleted(tmp_path: Path, *, replaced: bool) -> None:
    library, source = tmp_path / "mine.so", tmp_path / "mine.c"
    source.write_text("int work(int n) { return n + 1; }")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wl,--build-id", "-o", library, source], check=True)
    with Worker(CALLS_OF_OWN, library) as worker, library.open("rb") as mapped:
        inode = os.fstat(mapped.fileno()).st_ino
        library.unlink()
        if replaced:
            subprocess.run(["cc", "-shared", "-fPIC", "-o", library, "-Dwork=other", source], check=True)
        with trace("application/funccount", binary=library, symbol="work", pid=worker.pid) as traced:
            worker.work()
    assert sum(counts["calls"] for counts in traced.totals("calls", "point").values()) == 23
    (note,) = (note for note in traced.notes if str(library) in note)
    assert note.startswith(f"{library} is the file of inode {inode}, build ID ")
