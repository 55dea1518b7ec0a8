"""The formats of call stacks, on a hot function of user space and one of the kernel."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support import profiles, speedscope
from tests.support.command import COMMAND, ebpftop
from tests.support.processes import SLOWER
from tests.support.tracing import any_kernel
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

SPIN = "def work():\n    while True: pass"
READ = """
zero, room = open("/dev/zero", "rb", 0), bytearray(1 << 20)
def work():
    while True: zero.readinto(room)
"""
Stacks = list[tuple[list[str], int]]  # frames from the process on, and how often


@pytest.fixture(scope="module", autouse=True)
def hot() -> Iterator[None]:
    """Two processes that do nothing else: one in a function of Python, one in the kernel's read of /dev/zero."""
    with Worker(SPIN, name="spinner") as spinner, Worker(READ, name="reader") as reader:
        spinner.start()
        reader.start()
        yield


def profiled(form: str) -> str:
    done = ebpftop("run", "cpu/profile", "--duration", 4 * SLOWER, "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def check(stacks: Stacks) -> None:
    """What each of the two does is on top, and little else is seen of it: interrupts, the loop around a call."""
    for name, function in (("spinner", "work"), ("reader", "read_zero")):
        mine = [(frames, count) for frames, count in stacks if frames[0] == name]
        whole = sum(count for _, count in mine)
        through = sum(count for frames, count in mine if any(each.startswith(function) for each in frames))
        assert whole > 20
        assert through > 0.8 * whole
    own = Counter[str]()
    for frames, count in stacks:
        if frames[0] == "spinner":
            own[frames[-1]] += count
    assert own.most_common(1)[0][0].startswith("work")


@any_kernel
def test_speedscope_opens_the_profile() -> None:
    file = json.loads(profiled("speedscope"))
    speedscope.check(file)
    (profile,) = file["profiles"]
    names = [frame["name"] for frame in file["shared"]["frames"]]
    paths = [[names[at] for at in path] for path in profile["samples"]]
    check(list(zip(paths, profile["weights"], strict=True)))
    files = {frame["name"]: frame.get("file", "") for frame in file["shared"]["frames"]}
    assert "python" in files["Py_RunMain"]
    assert files["work"].startswith("<string>")


@any_kernel
def test_folded_stacks_of_the_profile() -> None:
    lines = [line.rpartition(" ") for line in profiled("folded").splitlines()]
    check([(stack.split(";"), int(count)) for stack, _, count in lines])
    assert any("read_zero_[k]" in stack for stack, _, _ in lines)


def written(form: str) -> bytes:
    """The same of a format that is no text."""
    run = [*COMMAND, "run", "cpu/profile", "--duration", str(4 * SLOWER), "--format", form]
    done = subprocess.run(run, stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * SLOWER, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


@any_kernel
def test_pprof_opens_the_profile() -> None:
    (sums,) = profiles.stacks(profiles.profile(written("pprof"))).values()
    check([(list(stack), count) for stack, count in sums.items()])


@any_kernel
def test_perfetto_opens_the_profile() -> None:
    trace = profiles.Trace(written("perfetto"))
    sums = Counter((name, *stack) for _, _, name, stack in trace.samples)
    check([(list(stack), count) for stack, count in sums.items()])
    times = [time for time, *_ in trace.samples]
    assert 3 * 10**9 < times[-1] - times[0] < 60 * SLOWER * 10**9
    assert {cpu for _, cpu, *_ in trace.samples} <= set(range(64))
