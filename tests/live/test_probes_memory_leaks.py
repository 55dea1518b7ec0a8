"""memory/usermemleak tells which function of a program keeps what it allocated, whichever allocator the program has."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import ebpftop
from tests.support.tracing import Tracing, any_kernel, counted, trace
from tests.support.workloads import Worker

pytestmark = [pytest.mark.bpf, pytest.mark.needs("uprobe")]

MIB = 1 << 20
FUNCTIONS = """
#include <stdlib.h>
void *by_malloc(long bytes) { return malloc(bytes); }
void *by_calloc(long bytes) { return calloc(13, bytes); }
void *by_realloc(void *at, long bytes) { return realloc(at, bytes); }
void *by_posix_memalign(long bytes) { void *at; return posix_memalign(&at, 64, bytes) ? 0 : at; }
void *by_aligned_alloc(long bytes) { return aligned_alloc(4096, bytes); }
void *to_be_moved(long bytes) { return malloc(bytes); }
void *too_large_to_move(long bytes) { void *at = malloc(bytes); return realloc(at, 1L << 62) ? 0 : at; }
void *resized_to_nothing(long bytes) { return realloc(malloc(bytes), 0); }
void *handed_over(long bytes) { return malloc(bytes); }
void *of_pages(long bytes) { return malloc(bytes); }
void kept_short(long bytes, long times) { while (times--) free(malloc(bytes)); }
void give_back(void *at) { free(at); }
"""
LOAD = """
import ctypes, threading
library = ctypes.CDLL(sys.argv[1])
def call(name, *numbers):
    function = getattr(library, name)
    function.restype = ctypes.c_void_p
    return function(*(ctypes.c_void_p(each) for each in numbers))
"""
ALL = (
    LOAD
    + """
def elsewhere():
    for at in handed[:12]: call("give_back", at)
    for at in moved: call("by_realloc", at, 2003)
def work():
    global handed, moved
    for _ in range(23): call("by_malloc", 1009)
    for _ in range(7): call("by_calloc", 31)
    for _ in range(5): call("by_posix_memalign", 4099)
    for _ in range(3): call("by_aligned_alloc", 8192)
    for _ in range(19): call("too_large_to_move", 307)
    for _ in range(2): call("resized_to_nothing", 311)
    pages = [call("of_pages", 3 << 20) for _ in range(5)]
    for at in pages[:3]: call("give_back", at)
    call("kept_short", 211, 97)
    handed = [call("handed_over", 257) for _ in range(17)]
    moved = [call("to_be_moved", 101) for _ in range(11)]
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
"""
)
SOME = (
    LOAD
    + """
kept = []
def work():
    if kept:
        for at in kept[:6]: call("give_back", at)
    else:
        kept.extend(call("by_malloc", 1009) for _ in range(13))
"""
)
# A service that works a hundred times a second. One of its functions forgets 10,007 bytes each time, a megabyte a
# second; the others give back what they have, at once or when it is old, and none needs more at a time: malloc gives
# memory that was never touched to whoever needs the most.
SERVICE = r"""
#include <stdlib.h>
#include <string.h>
#include <time.h>
enum { CACHED = 601, SESSIONS = 31 };
static void *cache[CACHED], *sessions[SESSIONS], *table;
static void *filled(long bytes) { return memset(malloc(bytes), 1, bytes); }
void forgets(long step) { filled(10007); }
void answers(long step) { for (int n = 1; n <= 13; n++) free(filled(n * 401)); }
void renders(long step) { for (int n = 0; n < 7; n++) free(filled(6007)); }
void caches(long step) { void **at = &cache[step % CACHED]; free(*at); *at = filled(5003); }
void serves(long step) { void **at = &sessions[step % SESSIONS]; free(*at); *at = filled(4001); }
void grows(long step) { table = realloc(table, 101 * (1 + step % 59)); memset(table, 1, 101); }
void reads(long step) { if (step % 23 == 0) free(calloc(7, 809)); }
int main(void)
{
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (long step = 0;; step++) {
        forgets(step), answers(step), renders(step), caches(step), serves(step), grows(step), reads(step);
        next.tv_nsec += 10000000;
        if (next.tv_nsec >= 1000000000) next.tv_sec++, next.tv_nsec -= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, 0);
    }
}
"""
FORGOTTEN, CACHE = 10007, 601 * 5003
CALLS = ("forgets", "answers", "renders", "caches", "serves", "grows", "reads")
STORM = LOAD + "\ndef work():\n    while True: call('kept_short', 7, 1000)"
# Without any library, so that the allocator is its own.
STATIC = """
#include <stdlib.h>
#include <unistd.h>
void *forgets(long bytes) { return malloc(bytes); }
void returns(long bytes) { free(malloc(bytes)); }
int main(void) {
    char byte;
    while (read(0, &byte, 1) == 1) {
        for (int n = 0; n < 7; n++) { forgets(1009); returns(1013); }
        write(1, &byte, 1);
    }
}
"""
OPTIONS = ("-O1", "-fno-omit-frame-pointer", "-fno-inline", "-fno-optimize-sibling-calls", "-fno-builtin", "-w")


def compiled(path: Path, text: str, *options: str) -> Path:
    source = path.with_suffix(".c")
    source.write_text(text)
    subprocess.run(["cc", *OPTIONS, *options, "-o", path, source], check=True)
    return path


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return compiled(tmp_path / "leaking.so", FUNCTIONS, "-shared", "-fPIC")


def held(traced: Tracing, function: str = "") -> int:
    """Bytes allocated in it and not freed, as last told."""
    return counted(traced.lines[-1]["views"]["outstanding"]["stacks"], *filter(None, [function]))


PRELOADED = [
    pytest.param(name, marks=[any_kernel, pytest.mark.installed(name)])
    for name in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4")
]


@pytest.mark.parametrize("allocator", ["libc", *PRELOADED])
def test_what_each_function_keeps_under_each_allocator(
    allocator: str, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        if allocator != "libc":
            patched.setenv("LD_PRELOAD", allocator)
        worker, other = Worker(ALL, library), Worker(ALL, library)
    with worker, other, trace("memory/usermemleak", pid=worker.pid, age="0s") as traced:
        worker.work()
        other.work()
        assert traced.end() == 0
    assert traced.variant == allocator.partition(".")[0].removeprefix("lib" if allocator != "libc" else "")
    kept = {
        name: held(traced, name)
        for name in (
            "by_malloc", "by_calloc", "by_realloc", "by_posix_memalign", "by_aligned_alloc", "to_be_moved",
            "too_large_to_move", "resized_to_nothing", "handed_over", "of_pages", "kept_short",
        )
    }  # fmt: skip
    assert kept == {
        "by_malloc": 23 * 1009,
        "by_calloc": 7 * 13 * 31,
        "by_realloc": 11 * 2003,
        "by_posix_memalign": 5 * 4099,
        "by_aligned_alloc": 3 * 8192,
        "to_be_moved": 0,
        "too_large_to_move": 19 * 307,
        "resized_to_nothing": 0,
        "handed_over": 5 * 257,
        "of_pages": 2 * 3 * MIB,
        "kept_short": 0,
    }
    assert traced.totals("processes", "pid").keys() == {worker.pid}
    assert traced.losses() == {}


def test_a_program_with_an_allocator_of_its_own(tmp_path: Path) -> None:
    program = compiled(tmp_path / "static", STATIC, "-static")
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with trace("memory/usermemleak", pid=process.pid, age="0s") as traced:
                process.stdin.write(b"g")
                assert process.stdout.read(1) == b"g"
                assert traced.end() == 0
        finally:
            process.kill()
    assert traced.variant == "program"
    assert held(traced, "forgets") == held(traced) == 7 * 1009
    assert traced.totals("processes", "pid")[process.pid]["allocations"] == 14
    assert traced.totals("processes", "pid")[process.pid]["frees"] == 7
    assert traced.losses() == {}


@any_kernel
def test_only_what_is_old_counts_until_it_is_freed(library: Path) -> None:
    with Worker(SOME, library) as worker, trace("memory/usermemleak", pid=worker.pid, age="50ms") as traced:
        worker.work()  # and nothing is called after that
        traced.until(lambda: held(traced, "by_malloc") == 13 * 1009, "they are old")
        worker.work()
        traced.until(lambda: held(traced, "by_malloc") == 7 * 1009, "six are freed")
    assert held(traced, "by_malloc") == 7 * 1009  # what it held when it ended
    assert traced.losses() == {}


@any_kernel
def test_a_megabyte_a_second_of_one_function_among_many_stands_on_top_in_both_probes_within_a_minute(
    tmp_path: Path,
) -> None:
    """As they are by default: of the one it is told once it is five seconds old."""
    with (
        subprocess.Popen([compiled(tmp_path / "service", SERVICE)]) as service,
        trace("memory/usermemleak", pid=service.pid) as leaks,
        trace("memory/heapgrowth", pid=service.pid) as growth,
    ):
        try:
            leaks.until(lambda: held(leaks, "forgets") > 2 * CACHE, "it is more than all others can have")
            growth.until(lambda: top(touched_by(growth, service.pid)) == "forgets", "so are its new pages")
            assert leaks.end() == growth.end() == 0
        finally:
            service.kill()
    outstanding = leaks.lines[-1]["views"]["outstanding"]["stacks"]
    forgotten = held(leaks, "forgets")
    assert forgotten % FORGOTTEN == 0
    assert forgotten > 0.6 * counted(outstanding)
    assert top(outstanding) == "forgets"
    assert top(touched_by(growth, service.pid)) == "forgets"
    assert [held(leaks, each) for each in ("answers", "renders", "serves", "grows", "reads")] == [0] * 5
    assert leaks.losses() == growth.losses() == {}


def touched_by(growth: Tracing, pid: int) -> list[dict[str, Any]]:
    return [each for each in growth.stacks("touched") if each["labels"]["pid"] == pid]


def top(stacks: list[dict[str, Any]]) -> str:
    """The function of the program that calls for the greatest part."""
    sums = Counter({"nothing": 0})
    for each in stacks:
        sums.update({name: each["count"] for frame in each["frames"] if (name := frame["name"]) in CALLS})
    return sums.most_common(1)[0][0]


@any_kernel
def test_what_is_young_does_not_count(library: Path) -> None:
    with Worker(SOME, library) as worker, trace("memory/usermemleak", pid=worker.pid, age="1h") as traced:
        worker.work()
    assert held(traced) == 0
    assert traced.totals("processes", "pid")[worker.pid]["allocations"] >= 13


@any_kernel
def test_what_a_process_held_when_it_ended_stays(library: Path) -> None:
    worker = Worker(SOME, library)
    with trace("memory/usermemleak", pid=worker.pid, age="0s") as traced:
        with worker:
            worker.work()
            traced.until(lambda: held(traced, "by_malloc") == 13 * 1009, "it is told")
        told = len(traced.lines)
        traced.until(lambda: len(traced.lines) > told + 3, "its rows are those of a dead process")
        assert held(traced, "by_malloc") == 13 * 1009
    assert held(traced, "by_malloc") == 13 * 1009


@any_kernel
def test_it_detaches_itself_above_a_rate_of_calls(library: Path) -> None:
    with Worker(STORM, library) as worker:
        worker.start()
        done = ebpftop("run", "memory/usermemleak", "-p", f"pid={worker.pid}", "-p", "limit=1000", "--budget", "0")
    assert done.returncode == 1
    (line,) = (line for line in done.stderr.splitlines() if "detached" in line)
    assert line.startswith("ebpftop: memory/usermemleak: detached, its programs ran ")
    assert line.endswith(" times a second, more than its limit of 1,000; raise that with -p limit=N")


@any_kernel
def test_without_a_process_it_is_refused() -> None:
    done = ebpftop("run", "memory/usermemleak")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "ebpftop: memory/usermemleak: give pid")
