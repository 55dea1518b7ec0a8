"""Stacks of programs that keep no frame pointers: whole, and frame by frame as the program's calls are."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ebpftop.base.gaps import LATE, NO_ROOM
from ebpftop.frames.tape import TapeReader
from tests.support.command import complaint, ebpftop
from tests.support.processes import SLOWER
from tests.support.tracing import any_kernel, counted, trace

pytestmark = pytest.mark.bpf

FREQUENCY = 199
SAMPLES = 150
TOO_SLOW = {f"[{LATE}]", f"[{NO_ROOM}]"}

HEAD = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#define APART __attribute__((noinline, noclone, noipa))
static volatile long sum;
static volatile int never;
APART static void leaf(int n) { for (int i = 0; i < n; i++) { volatile long own = i; sum += own; } }
"""

CHAIN = r"""
APART static int inner(int n) { char a[64]; memset(a, n, 64); leaf(20000); return a[n & 63]; }
APART static int middle(int n) { int r = 0; for (int i = 0; i < 5; i++) r += inner(n + i); return r; }
APART static int compare(const void *a, const void *b) { return middle(3) + *(int *)a - *(int *)b; }
APART static int outer(int n) { int v[2] = {n, never}; qsort(v, 2, sizeof(*v), compare); return v[n & 1]; }
int main(void) { for (;;) sum += outer(1); }
"""
CALLS = ["main", "outer", "qsort", "compare", "middle", "inner", "leaf"]


def build(folder: Path, body: str, *options: str) -> Path:
    """Without frame pointers, unless the options have it otherwise."""
    program = folder / "program"
    given = ("-O2", "-fomit-frame-pointer", "-w", *options)
    text = HEAD + body
    subprocess.run(["cc", *given, "-o", program, "-xc", "-", "-pthread"], input=text, text=True, check=True)
    return program


@contextmanager
def running(*command: str | Path) -> Iterator[int]:
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **silent) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def profiled(pid: int, **params: Any) -> list[dict[str, Any]]:
    """The stacks of some hundred samples of a process. The first ones wait for where its code lies."""
    with trace("cpu/profile", pid=pid, frequency=FREQUENCY, **params) as traced:
        traced.until(lambda: counted(traced.stacks("samples", pid=pid)) >= SAMPLES, f"{SAMPLES} samples are taken")
        assert traced.end() == 0
    assert traced.losses() == {}
    found = traced.stacks("samples", pid=pid)
    return found if SLOWER == 1 else [each for each in found if in_time(each)]


def in_time(stack: dict[str, Any]) -> bool:
    """Whether it was unwound and named before it was told: in emulation reading code and names can take too long."""
    return not TOO_SLOW & set(user(stack)) and all(frame["name"] or frame["module"] for frame in stack["frames"])


def user(stack: dict[str, Any]) -> list[str]:
    """Names of its functions in user space, outermost first, empty where there is none; in brackets why they are not
    all of them.
    """
    return [
        f"[{frame['name']}]" if frame["side"] == "missing" else "" if frame["name"].startswith("[") else frame["name"]
        for frame in stack["frames"]
        if frame["side"] != "kernel"
    ]


def whole(stacks: Sequence[dict[str, Any]]) -> float:
    """The share of samples whose stacks begin where their thread does."""
    begun = sum(each["count"] for each in stacks if begins(*user(each)[:2]))
    return begun / counted(list(stacks))


def begins(first: str = "[nothing]", second: str = "", *_: str) -> bool:
    """A program without symbols doesn't name its `_start`, which is what calls the C library's."""
    return first in BEGINNINGS or (not first and second.startswith("__libc_start_main"))


KEPT = ("-O1", "-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer")
BEGINNINGS = ("_start", "clone", "__clone", "clone3", "__clone3")


def paths(stacks: Sequence[dict[str, Any]], *names: str) -> Counter[tuple[str, ...]]:
    """The stacks as those of these functions that are in them, outermost first."""
    found: Counter[tuple[str, ...]] = Counter()
    for each in stacks:
        found[tuple(name for name in user(each) if name in names or name.startswith("["))] += each["count"]
    return found


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("-fPIE", "-pie"), id="pie"),
        pytest.param(("-no-pie",), id="no-pie", marks=any_kernel),
        pytest.param(("-static",), id="static", marks=any_kernel),
    ],
)
def test_a_chain_of_calls_is_told_frame_by_frame(tmp_path: Path, options: tuple[str, ...]) -> None:
    with running(build(tmp_path, CHAIN, *options)) as pid:
        found = profiled(pid)
    assert whole(found) >= 0.98
    calls = paths(found, *CALLS)
    depths = [tuple(name for name in CALLS[:depth] if name != "qsort") for depth in range(len(CALLS) + 1)]
    own = Counter({tuple(name for name in path if name != "qsort"): n for path, n in calls.items()})
    assert {path for path in own if path not in depths} == set()  # nothing that doesn't call so
    assert own[depths[-1]] >= 0.9 * own.total()


def test_threads_begin_where_they_were_made(tmp_path: Path) -> None:
    body = r"""
APART static void *work(void *n) { for (;;) leaf(20000); return n; }
int main(void) { pthread_t thread; pthread_create(&thread, 0, work, 0); pthread_join(thread, 0); return sum; }
"""
    with running(build(tmp_path, body)) as pid:
        found = profiled(pid)
    assert whole(found) >= 0.98
    assert paths(found, "main", "work", "leaf")[("work", "leaf")] >= 0.9 * counted(found)


@any_kernel
def test_a_handler_is_seen_in_what_its_signal_interrupted(tmp_path: Path) -> None:
    """At the first instruction of a function: just before it lies another one, which didn't call."""
    body = r"""
APART static void handler(int n, siginfo_t *info, void *at)
{
    leaf(20000);
    ((ucontext_t *)at)->uc_mcontext.gregs[REG_RIP] += 2;
}
extern void faults(void);
asm(".globl faults\n.type faults,@function\nfaults: .cfi_startproc\nud2\nret\n.cfi_endproc\n.size faults,.-faults");
APART static void interrupted(void) { char a[64]; memset(a, sum, 64); faults(); sum += a[sum & 63]; }
int main(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, 0);
    for (;;) { interrupted(); sum++; }
}
"""
    with running(build(tmp_path, body)) as pid:
        found = profiled(pid)
    assert whole(found) >= 0.98
    calls = ("main", "interrupted", "faults", "handler", "leaf")
    seen = paths(found, *calls)
    assert set(seen) <= {calls[:depth] for depth in range(len(calls) + 1)}
    assert seen[calls] >= 0.5 * counted(found)


@any_kernel
def test_the_linkers_stubs_and_the_kernels_page_are_on_the_way(tmp_path: Path) -> None:
    body = r"""
APART static void asks(void) { struct timespec now; clock_gettime(CLOCK_MONOTONIC, &now); sum += now.tv_nsec; }
APART static void calls(void) { for (int i = 0; i < 100; i++) { asks(); getppid(); } sum++; }
int main(void) { for (;;) calls(); }
"""
    with running(build(tmp_path, body, "-Wl,-z,lazy")) as pid:
        found = profiled(pid)
    assert whole(found) >= 0.98
    assert set(paths(found, "main", "asks", "calls")) <= {
        (),  # while it starts
        ("main",),
        ("main", "calls"),
        ("main", "calls", "asks"),
    }


def test_a_library_that_is_loaded_later_is_unwound(tmp_path: Path) -> None:
    library = tmp_path / "late.so"
    source = (
        HEAD
        + r"""
APART static void within(void) { for (int i = 0; i < 10; i++) leaf(20000); sum++; }
void work(void) { within(); sum++; }
"""
    )
    options = ("-O2", "-fomit-frame-pointer", "-w", "-shared", "-fPIC")
    subprocess.run(["cc", *options, "-o", library, "-xc", "-"], input=source, text=True, check=True)
    body = r"""
APART static void caller(void (*work)(void)) { work(); sum++; }
int main(int count, char **arguments)
{
    for (clock_t end = CLOCKS_PER_SEC / 5; clock() < end;)
        leaf(20000);
    void (*work)(void) = dlsym(dlopen(arguments[1], RTLD_NOW), "work");
    for (;;) caller(work);
}
"""
    program = build(tmp_path, body)
    with running(program, library) as pid:
        found = profiled(pid)
    assert whole(found) >= 0.98
    assert paths(found, "main", "caller", "work", "within")[("main", "caller", "work", "within")] > 0.2 * counted(found)


@any_kernel
def test_frame_pointers_tell_the_same_where_they_are_kept(tmp_path: Path) -> None:
    """But for samples at the beginning of a function, where none is set up yet. Compilers leave them out of
    leaves that need no stack."""
    body = r"""
APART static int inner(int n) { leaf(20000); sum++; return n; }
APART static int middle(int n) { int r = 0; for (int i = 0; i < 5; i++) r += inner(n + i); return r; }
int main(void) { for (;;) sum += middle(1); }
"""
    program = build(tmp_path, body, *KEPT)
    with running(program) as pid:
        by_pointers, by_tables = (profiled(pid, unwind=way) for way in ("fp", "dwarf"))
    calls = ("main", "middle", "inner", "leaf")
    for found in (by_pointers, by_tables):
        assert paths(found, *calls)[calls] >= 0.97 * counted(found)
    assert whole(by_tables) >= 0.98


@any_kernel
def test_a_program_of_frame_pointers_alone_is_not_copied(tmp_path: Path) -> None:
    """None of its code is of the C library."""
    body = r"""
#define APART __attribute__((noinline, noclone, noipa))
static volatile long sum;
APART static void leaf(int n) { for (int i = 0; i < n; i++) { volatile long own = i; sum += own; } }
APART static int inner(int n) { leaf(20000); sum++; return n; }
APART static int middle(int n) { int r = 0; for (int i = 0; i < 5; i++) r += inner(n + i); return r; }
void _start(void) { for (;;) sum += middle(1); }
"""
    program = tmp_path / "bare"
    options = (*KEPT, "-nostdlib", "-static", "-fasynchronous-unwind-tables")
    subprocess.run(["cc", *options, "-o", program, "-xc", "-"], input=body, text=True, check=True)
    with running(program) as pid:
        found = profiled(pid)
    calls = ("_start", "middle", "inner", "leaf")
    assert paths(found, *calls)[calls] >= 0.97 * counted(found)


@any_kernel
def test_a_stack_that_is_too_deep_says_so_and_begins_nowhere_else(tmp_path: Path) -> None:
    body = r"""
APART static int deeper(int n) { char room[400]; memset(room, n, 400); if (n) deeper(n - 1); else leaf(20000);
    return room[n & 255]; }
int main(void) { for (;;) sum += deeper(90); }
"""
    with running(build(tmp_path, body)) as pid:
        found = profiled(pid)
    cut = [each for each in found if user(each)[0] == "[stack too deep: more than 16 KiB]"]
    assert counted(cut) >= 0.9 * counted(found)
    assert "_start" not in {name for each in cut for name in user(each)}
    with running(tmp_path / "program") as pid:
        assert whole(profiled(pid, copy=64)) >= 0.98  # 37 KiB
    deep = [each for each in cut if "main" not in user(each)]  # the others were taken on the way there
    assert {name for each in deep for name in user(each)[1:]} <= {"deeper", "leaf", "memset"}


@any_kernel
def test_what_lies_on_a_stack_is_in_no_output(tmp_path: Path) -> None:
    body = r"""
APART static int keeps(int n) { char secret[64]; memset(secret, 'S', 63); secret[63] = 0; leaf(20000);
    return secret[n & 63]; }
int main(void) { for (;;) sum += keeps(3); }
"""
    tape = tmp_path / "profile.tape"
    with running(build(tmp_path, body)) as pid:
        params = ["-p", f"pid={pid}", "-p", f"frequency={FREQUENCY}"]
        done = ebpftop("record", "-o", tape, "cpu/profile", *params, "--duration", 3)
    assert done.returncode == 0, complaint(done, 0)
    reader = TapeReader(tape)
    frames = [msgspec.msgpack.encode(frame, enc_hook=bytes) for _, frame in reader]
    reader.close()
    assert any(b"keeps" in frame for frame in frames)
    for secret in (b"SSSS", str(int.from_bytes(b"S" * 8, "little")).encode()):
        assert not any(secret in frame for frame in frames)
        assert secret not in done.stdout.encode() + done.stderr.encode()


PYTHON = """
import json, re
def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
while True:
    fibonacci(15)
    json.loads(json.dumps({"a": [1, 2, 3] * 100}))
    re.sub("a+", "b", "aaab" * 50)
    sorted(range(1000), key=lambda number: -number)
"""
PERL = 'while (1) { my %seen; $seen{$_ % 97} .= "x$_" for 1 .. 2000; join ",", sort { $a cmp $b } values %seen; }'
FOREIGN = [
    (0.98, "/usr/bin/python3", "-c", PYTHON),
    (0.95, "/usr/bin/perl", "-e", PERL),
    (0.95, "/usr/bin/openssl", "speed", "-seconds", "30", "sha256"),
    (0.95, "/usr/bin/xz", "-9", "--stdout", "/dev/zero"),
]


@any_kernel
@pytest.mark.parametrize(("least", "command"), [(each[0], each[1:]) for each in FOREIGN], ids=[e[1] for e in FOREIGN])
def test_programs_of_the_distribution_are_whole(least: float, command: tuple[str, ...]) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    with running(*command) as pid:
        found = profiled(pid)
    assert whole(found) >= least, Counter(user(each)[0] for each in found)
