"""Stacks of programs that keep no frame pointers, where events are far more than could be copied: whole, frame by frame
as the program's calls are, and with every nanosecond and byte on some of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ebpftop.base.gaps import NOT_COPIED
from tests.live.test_unwinding import build, in_time, paths, running, user, whole
from tests.support.processes import SLOWER
from tests.support.tracing import Tracing, any_kernel, counted, trace

pytestmark = [pytest.mark.bpf, any_kernel]

ENOUGH = 400_000_000  # ns of waiting

# Every fourth wait is the other function's, from the same place in the stack.
WAITS = r"""
APART static void waits(int us) { struct timespec time = {0, us * 1000}; nanosleep(&time, 0); sum++; }
APART static int one(int us) { char a[64]; memset(a, us, 64); waits(us); return a[us & 63]; }
APART static int two(int us) { char a[64]; memset(a, us, 64); waits(us); sum++; return a[us & 63]; }
APART static int middle(int us) { int r = two(us); for (int i = 0; i < 3; i++) r += one(us); return r; }
int main(int count, char **arguments) { for (;;) sum += middle(atoi(arguments[1])); }
"""
CALLS = ("main", "middle", "one", "two", "waits")
ONE, TWO = ("main", "middle", "one", "waits"), ("main", "middle", "two", "waits")


def waited(probe: str, view: str, process: int, enough: int, *functions: str, **params: Any) -> list[dict[str, Any]]:
    """The stacks of a process once there is enough time on those with one of these functions, or on all."""
    with trace(probe, **params) as traced:
        traced.until(lambda: counted(traced.stacks(view, pid=process), *functions) >= enough, f"{enough} ns are told")
        assert traced.end() == 0
    assert traced.losses() == {}
    found = traced.stacks(view, pid=process)
    return found if SLOWER == 1 else [each for each in found if in_time(each)]


def test_what_a_thread_waits_in_is_told_frame_by_frame(tmp_path: Path) -> None:
    with running(build(tmp_path, WAITS), "500") as pid:
        found = waited("cpu/offcputime", "off_cpu", pid, 3 * ENOUGH, pid=pid)
    assert whole(found) >= 0.98
    seen = paths(found, *CALLS)
    assert set(seen) <= {ONE, TWO}
    assert 0.1 < seen[TWO] / seen.total() < 0.5  # as waits are as long as the machine has them be


def test_threads_wait_in_stacks_of_their_own(tmp_path: Path) -> None:
    body = r"""
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
APART static void holds(void) { pthread_mutex_lock(&lock); usleep(2000); pthread_mutex_unlock(&lock); sum++; }
APART static void *work(void *n) { for (;;) { holds(); usleep(100); } return n; }
int main(void)
{
    pthread_t thread;
    for (int i = 0; i < 7; i++) pthread_create(&thread, 0, work, 0);
    pthread_join(thread, 0);
}
"""
    with running(build(tmp_path, body)) as pid:
        found = waited("cpu/offcputime", "off_cpu", pid, 10 * ENOUGH, pid=pid)
    assert whole(found) >= 0.98
    locked = [each for each in found if "holds" in user(each) and not any("sleep" in name for name in user(each))]
    assert counted(locked) > 0.5 * counted(found)
    assert set(paths(found, "main", "work", "holds")) <= {("work", "holds"), ("work",), ("main",)}


def test_every_wait_is_on_some_stack_however_many_there_are(tmp_path: Path) -> None:
    """Each wait is deeper than the one before: almost no stack comes twice."""
    body = r"""
APART static int deeper(int n) { char room[32 + (n & 7) * 16]; memset(room, n, 32);
    if (n) sum += deeper(n - 1); else usleep(100); return room[n & 31]; }
int main(void) { for (unsigned n = 0;; n += 7) sum += deeper(n % 83); }
"""
    with running(build(tmp_path, body)) as pid:
        found = waited("cpu/offcputime", "off_cpu", pid, 2 * ENOUGH, pid=pid, copies=10)
        again = waited("cpu/offcputime", "off_cpu", pid, 2 * ENOUGH, pid=pid)
    missing = paths(found, "main")
    assert set(missing) <= {("main",), (f"[{NOT_COPIED}]",)}
    assert missing[f"[{NOT_COPIED}]",] > 0
    assert counted(found) == missing.total()
    assert whole(again) >= 0.9


def test_who_wakes_a_thread_is_told_frame_by_frame(tmp_path: Path) -> None:
    body = r"""
static int ends[2];
APART static void writes(void) { write(ends[1], "x", 1); sum++; }
APART static void by_one(void) { writes(); sum++; }
APART static void by_two(void) { writes(); sum += 2; }
int main(void)
{
    char byte;
    pipe(ends);
    if (!fork()) { // until its parent ends
        close(ends[1]);
        while (read(ends[0], &byte, 1) > 0);
        return 0;
    }
    for (;;) { usleep(2000); by_one(); usleep(2000); by_two(); }
}
"""
    with running(build(tmp_path, body)) as pid:
        found = waited("cpu/wakeuptime", "wakeups", pid, 2 * ENOUGH, "writes", comm="program", stacks="user")
    wrote = [each for each in found if "writes" in user(each)]
    assert whole(wrote) >= 0.98
    seen = paths(wrote, "main", "by_one", "by_two", "writes")
    one, two = ("main", "by_one", "writes"), ("main", "by_two", "writes")
    assert set(seen) == {one, two}
    assert 0.2 < seen[one] / seen.total() < 0.8


# Requests come from a parent that waits for the answers.
GROWS = r"""
APART static void fills(char *at, long bytes) { for (long n = 0; n < bytes; n += 4096) at[n] = 1; sum++; }
APART static void grows(long bytes) { char *at = mmap(0, bytes, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fills(at, bytes); sum++; }
APART static void passes(long bytes) { char *at = mmap(0, bytes, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fills(at, bytes); munmap(at, bytes); sum++; }
int main(void)
{
    char byte;
    while (read(0, &byte, 1) == 1) {
        for (int n = 0; n < 11; n++) { grows(101 * 4096); passes(7 * 4096); }
        write(1, &byte, 1);
    }
}
"""
LEAKS = r"""
APART static void *keeps(long bytes) { void *at = malloc(bytes); sum++; return at; }
APART static void tidies(long bytes) { void *volatile at = malloc(bytes); free(at); sum++; }
APART static void works(long n) { char a[64]; memset(a, n, 64); keeps(1009); tidies(1013); sum += a[n & 63]; }
int main(void)
{
    char byte;
    while (read(0, &byte, 1) == 1) {
        for (int n = 0; n < 41; n++) works(n);
        write(1, &byte, 1);
    }
}
"""


class Served:
    """A program that works once for each byte."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.pid = self._process.pid

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def work(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"g")
        assert self._process.stdout.read(1) == b"g"


def last(traced: Tracing, view: str) -> list[dict[str, Any]]:
    stacks: list[dict[str, Any]] = traced.lines[-1]["views"][view]["stacks"]
    return stacks


def test_who_touches_and_requests_memory_is_told_frame_by_frame(tmp_path: Path) -> None:
    program = build(tmp_path, "#include <sys/mman.h>\n" + GROWS)
    with Served(program) as served, trace("memory/heapgrowth", pid=served.pid) as traced:
        served.work()
        served.work()
        assert traced.end() == 0
    calls = ("main", "grows", "passes", "fills")
    touched, requested = traced.stacks("touched"), last(traced, "requested")
    seen = paths(touched, *calls)
    assert seen["main", "grows", "fills"] == 22 * 101 * 4096
    assert seen["main", "passes", "fills"] == 22 * 7 * 4096
    assert paths(requested, *calls)["main", "grows"] == 22 * 101 * 4096
    assert paths(requested, *calls)["main", "passes"] == 0
    assert whole(touched) >= 0.98
    assert traced.losses() == {}


@pytest.mark.needs("uprobe")
def test_who_keeps_what_it_allocates_is_told_frame_by_frame(tmp_path: Path) -> None:
    with Served(build(tmp_path, LEAKS)) as served, trace("memory/usermemleak", pid=served.pid, age="0s") as traced:
        served.work()
        traced.until(lambda: paths(last(traced, "outstanding"), "keeps")["keeps",] == 41 * 1009, "it is told")
        served.work()
        assert traced.end() == 0
    found = last(traced, "outstanding")
    seen = paths(found, "main", "works", "keeps", "tidies")
    assert seen["main", "works", "keeps"] == 82 * 1009
    assert seen["main", "works", "tidies"] == 0
    assert whole(found) >= 0.98
    assert traced.losses() == {}


@pytest.mark.needs("uprobe")
def test_who_makes_slow_calls_is_told_frame_by_frame(tmp_path: Path) -> None:
    program = build(tmp_path, WAITS)
    with running(program, "2000") as pid:
        found = waited("application/funcslower", "callers", pid, ENOUGH, pid=pid, symbol="waits", slower="1ms")
    assert whole(found) >= 0.98
    assert set(paths(found, *CALLS)) == {ONE[:-1], TWO[:-1]}


SLEEPS = "import time\nwhile True: time.sleep(0.001)"
READS = "import os\nends = os.pipe()\nif os.fork():\n    while True: os.read(ends[0], 1)\n"
READS += "import time\nwhile True: time.sleep(0.001); os.write(ends[1], b'x')"
LOCKS = "import threading\nlock = threading.Lock()\nlock.acquire()\nwhile True: lock.acquire(timeout=0.001)"
PERL = "while (1) { select undef, undef, undef, 0.001 }"
WAITERS = [
    ("/usr/bin/python3", "-c", SLEEPS),
    ("/usr/bin/python3", "-c", READS),
    ("/usr/bin/python3", "-c", LOCKS),
    ("/usr/bin/perl", "-e", PERL),
    ("/bin/sh", "-c", "(while :; do echo; sleep 0.002; done) | xz --flush-timeout=1 > /dev/null"),
]


@pytest.mark.parametrize("command", WAITERS, ids=["sleep", "read", "lock", "perl", "xz"])
def test_programs_of_the_distribution_wait_in_whole_stacks(command: tuple[str, ...]) -> None:
    for needed in (command[0], *(["xz"] if "xz" in command[-1] else [])):
        if not shutil.which(needed):
            pytest.skip(f"{needed} is not installed")
    with running("/usr/bin/setsid", *command) as pid:
        try:
            comm = {"comm": "xz"} if "xz" in command[-1] else {"pid": pid}
            with trace("cpu/offcputime", **comm) as traced:
                traced.until(lambda: counted(traced.stacks("off_cpu")) >= 4 * ENOUGH, "enough is told")
                assert traced.end() == 0
        finally:
            os.killpg(pid, 9)
    found = traced.stacks("off_cpu")
    assert whole(found) >= 0.98, Counter(user(each)[0] for each in found)
    assert traced.losses() == {}
