"""memory/heapgrowth tells which function of a program touches new memory, and which requests it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.lacking import lacking
from tests.support.tracing import Tracing, any_kernel, counted, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

PAGE = 4096
HUGE = 2 << 20

# Functions that make their system calls and touch memory themselves: a stack begins in them.
FUNCTIONS = """
#define INLINE static __attribute__((always_inline)) inline
#ifdef __aarch64__
enum { BRK = 214, MUNMAP = 215, MREMAP = 216, MMAP = 222 };
INLINE long call(long number, long a, long b, long c, long d) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = -1;
    register long x5 __asm__("x5") = 0;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
enum { MMAP = 9, MUNMAP = 11, BRK = 12, MREMAP = 25 };
INLINE long call(long number, long a, long b, long c, long d) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = -1;
    register long r9 __asm__("r9") = 0;
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
}
#endif
INLINE char *map(long pages, int access) { return (char *)call(MMAP, 0, pages * 4096, access, 0x22); }
INLINE void unmap(char *at, long pages) { call(MUNMAP, (long)at, pages * 4096, 0, 0); }
void touch(volatile char *at, long bytes) { for (long i = 0; i < bytes; i += 4096) at[i] = 1; }
void touch_huge(volatile char *at, long bytes) { touch(at, bytes); }
void map_and_keep(long pages) { map(pages, 3); }
void map_and_give_back(long pages) { unmap(map(pages, 3), pages); }
void map_and_give_back_some(long pages, long back) { unmap(map(pages, 3), back); }
void map_a_reservation(long pages) { map(pages, 0); }
char *map_to_move(long pages) { return map(pages, 3); }
void move_and_grow(char *at, long from, long to) { call(MREMAP, (long)at, from * 4096, to * 4096, 1); }
void heap_up_and_down(long pages, long times) {
    long end = call(BRK, 0, 0, 0, 0);
    for (long n = 0; n < times; n++) { call(BRK, end + pages * 4096, 0, 0, 0); call(BRK, end, 0, 0, 0); }
}
"""
LOAD = """
import ctypes, mmap
library = ctypes.CDLL(sys.argv[1])
def call(name, *numbers):
    function = getattr(library, name)
    function.restype = ctypes.c_void_p
    return function(*map(ctypes.c_long, numbers))
def private(bytes, advice):
    memory = mmap.mmap(-1, bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(advice)
    return memory, ctypes.addressof(ctypes.c_char.from_buffer(memory))
"""
# Twice, as the second time nothing is new.
TOUCH = (
    LOAD
    + """
memory, at = private(499 * 4096, mmap.MADV_NOHUGEPAGE)
def work():
    for _ in range(2): call("touch", at, 499 * 4096)
"""
)
TOUCH_HUGE = (
    LOAD
    + """
memory, at = private(8 << 20, mmap.MADV_HUGEPAGE)
at += -at % (2 << 20)
def work(): call("touch_huge", at, 3 << 21)
"""
)
REQUEST = (
    LOAD
    + """
def work():
    for _ in range(13): call("map_and_keep", 101)
    for _ in range(29): call("map_and_give_back", 7)
    for _ in range(5): call("map_and_give_back_some", 11, 3)
    for _ in range(2): call("map_a_reservation", 1009)
    for _ in range(3): call("move_and_grow", call("map_to_move", 10), 10, 23)
    call("heap_up_and_down", 211, 7)
"""
)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    source, library = tmp_path / "growing.c", tmp_path / "growing.so"
    source.write_text(FUNCTIONS)
    options = ("-shared", "-fPIC", "-O1", "-fno-omit-frame-pointer", "-fno-inline", "-fno-optimize-sibling-calls")
    subprocess.run(["cc", *options, "-o", library, source], check=True)
    return library


def resident(worker: Worker) -> int:
    """Bytes of its anonymous pages, which the kernel finds by walking its page tables: its own counts may be late."""
    lines = Path(f"/proc/{worker.pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:"))


def held(traced: Tracing, pid: int, function: str) -> int:
    last = traced.lines[-1]["views"]["requested"]["stacks"]
    return counted([each for each in last if each["labels"]["pid"] == pid], function)


def test_new_pages_are_told_by_who_touches_them_first(library: Path) -> None:
    with (
        Worker(TOUCH, library) as worker,
        Worker(TOUCH, library) as other,
        trace("memory/heapgrowth", pid=worker.pid) as traced,
    ):
        before = resident(worker)
        worker.work()
        grown = resident(worker) - before
        other.work()
    found = traced.stacks("touched")
    assert counted(found, "touch") == 499 * PAGE
    assert 499 * PAGE <= grown <= counted(found)
    assert {each["labels"]["pid"] for each in found} == {worker.pid}
    assert traced.totals("processes", "pid")[worker.pid]["touched"] == counted(found)
    assert traced.losses() == {}


@any_kernel
def test_a_huge_page_is_as_many_bytes_as_it_has(library: Path) -> None:
    if "[never]" in Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text():
        lacking("huge pages are switched off")
    with Worker(TOUCH_HUGE, library) as worker, trace("memory/heapgrowth", pid=worker.pid) as traced:
        before = resident(worker)
        worker.work()
        grown = resident(worker) - before
    assert counted(traced.stacks("touched"), "touch") == 3 * HUGE <= grown
    assert traced.losses() == {}


def test_requested_memory_is_told_until_it_is_given_back(library: Path) -> None:
    with Worker(REQUEST, library) as worker, trace("memory/heapgrowth", pid=worker.pid) as traced:
        worker.work()
        assert traced.end() == 0
        pages = {
            name: held(traced, worker.pid, name) / PAGE
            for name in (
                "map_and_keep", "map_and_give_back_some", "map_a_reservation", "map_to_move", "move_and_grow",
                "heap_up_and_down",
            )
        }  # fmt: skip
    assert pages == {
        "map_and_keep": 13 * 101,
        "map_and_give_back_some": 5 * 8,
        "map_a_reservation": 0,
        "map_to_move": 0,
        "move_and_grow": 3 * 23,
        "heap_up_and_down": 211,
    }
    gone = held(traced, worker.pid, "map_and_give_back") / PAGE - pages["map_and_give_back_some"]
    assert gone == 0
    sums = traced.totals("processes", "pid")[worker.pid]
    assert sums["heap"] >= 211 * PAGE
    assert sums["mapped"] >= (13 * 101 + 29 * 7 + 5 * 11 + 3 * 33) * PAGE
    assert sums["unmapped"] >= (29 * 7 + 5 * 3 + 3 * 10) * PAGE
    assert traced.losses() == {}
