"""Python functions in stacks of a profile: by name, file and line, where the interpreter's loop runs them."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.pythons import ABSENT, VERSIONS, commands, interpreter
from tests.support.tracing import Traced, any_kernel, counted, trace

pytestmark = pytest.mark.bpf

SAMPLES = 150
LOOP = "_PyEval_EvalFrameDefault"
SERVICE = """\
def hot(count):
    total = 0
    for number in range(count):
        total += number * number % 7
    return total


class Service:
    def handle(self, count):
        return sorted([1], key=lambda _: hot(count))


def requests():
    while True:
        yield Service().handle(20000)


for _ in requests():
    pass
"""
PATH = ["<module>", "requests", "Service.handle", "Service.handle.<locals>.<lambda>", "hot"]

THREADS = """\
import asyncio
import threading

def spin(count):
    total = 0
    for number in range(count):
        total += number % 7

def plain():
    while True:
        spin(20000)

class Höher:
    async def 名前(self):
        spin(20000)
        await asyncio.sleep(0)

async def serve():
    while True:
        await Höher().名前()

def deep(calls):
    return deep(calls - 1) if calls else spin(20000)

def recursing():
    while True:
        deep(300)

threading.Thread(target=asyncio.run, args=(serve(),)).start()
threading.Thread(target=recursing).start()
plain()
"""


def found() -> list[Any]:
    """Every CPython there is; a version that there isn't is a test that is skipped."""
    each = [pytest.param(command, id=command[-1]) for version in VERSIONS for command in commands(version)]
    missing = [version for version in VERSIONS if not commands(version)]
    return each + [pytest.param([], id=v, marks=pytest.mark.skip(reason=ABSENT.format(v))) for v in missing]


@contextmanager
def running(command: list[str], program: Path) -> Iterator[int]:
    with subprocess.Popen([*command, program], stdout=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def profiled(pid: int) -> list[dict[str, Any]]:
    """Stacks of some hundred samples, from when the process was known for a Python."""
    with trace("cpu/profile", pid=pid, frequency=199) as traced:
        traced.until(lambda: counted(known(traced, pid=pid)) >= SAMPLES, f"{SAMPLES} samples of it")
        assert traced.end() == 0
        return known(traced, pid=pid)


def known(traced: Traced, **labels: object) -> list[dict[str, Any]]:
    """Those of the lines behind the first one that has a Python function."""
    lines = traced.stacks_by_line("samples", **labels)
    first = next((at for at, line in enumerate(lines) if any(map(python, line))), len(lines))
    return [each for line in lines[first + 1 :] for each in line]


def python(stack: dict[str, Any]) -> list[dict[str, Any]]:
    return [frame for frame in stack["frames"] if frame["side"] == "python"]


def names(stack: dict[str, Any]) -> list[str]:
    return [frame["name"] for frame in python(stack)]


def write(folder: Path, text: str) -> Path:
    program = folder / "service.py"
    program.write_text(text)
    return program


FEW = """\
import time

def hot(end):
    while time.monotonic() < end:
        pass

def handle():
    hot(time.monotonic() + 0.2)

while True:
    handle()
    time.sleep(0.8)
"""


def test_a_kernel_that_has_little_time_tells_python_functions_too(tmp_path: Path) -> None:
    """Where machines are emulated, whatever reads code and unwinds has to come along."""
    command = interpreter("3.11")
    program = write(tmp_path, FEW)
    with running(command, program) as pid, trace("cpu/profile", pid=pid, frequency=19) as traced:
        traced.until(lambda: counted(burning(traced, pid)) >= 13, "13 samples of it")
        assert traced.end() == 0
    stacks = burning(traced, pid)
    for each in stacks:
        assert names(each) == ["<module>", "handle", "hot"]
        assert [frame["file"] for frame in python(each)] == [str(program)] * 3
        assert [frame["line"] for frame in python(each)][:2] == [11, 8]
        assert python(each)[2]["line"] in range(3, 6)


def burning(traced: Traced, pid: int) -> list[dict[str, Any]]:
    """Those in the function that uses the CPU."""
    return [each for each in traced.stacks("samples", pid=pid) if names(each)[-1:] == ["hot"]]


@any_kernel
@pytest.mark.parametrize("command", found())
def test_the_hot_function_of_a_service_has_its_name_file_and_line(command: list[str], tmp_path: Path) -> None:
    program = write(tmp_path, SERVICE)
    with running(command, program) as pid:
        stacks = profiled(pid)
    paths: Counter[tuple[str, ...]] = Counter()
    lines: Counter[tuple[str, int]] = Counter()
    for each in stacks:
        paths[tuple(names(each))] += each["count"]
        for frame in python(each):
            if frame["name"] == "hot":
                lines[frame["file"], frame["line"]] += each["count"]
                assert frame["module"] == "/".join(program.parts[-2:])
    assert paths[tuple(PATH)] >= 0.9 * counted(stacks), paths
    assert set(paths) <= {tuple(PATH[:depth]) for depth in range(len(PATH) + 1)}
    assert set(lines) <= {(str(program), line) for line in range(1, 6)}
    assert lines[str(program), 4] >= 0.4 * lines.total()


@any_kernel
def test_c_calls_back_into_python_between_its_functions(tmp_path: Path) -> None:
    """Where the interpreter's loop calls itself, its function is in neither place."""
    command = interpreter("3.11")
    with running(command, write(tmp_path, SERVICE)) as pid:
        stacks = [each for each in profiled(pid) if names(each) == PATH]
    assert stacks
    for each in stacks:
        frames = [(frame["side"], frame["name"]) for frame in each["frames"]]
        handle, key = frames.index(("python", PATH[2])), frames.index(("python", PATH[3]))
        assert handle == frames.index(("python", PATH[0])) + 3 or ("user", LOOP) not in frames
        assert {side for side, _ in frames[handle + 1 : key]} == {"user"}  # sort() and what it calls
        assert frames[key + 1] == ("python", "hot")
        assert ("user", LOOP) not in frames


@any_kernel
@pytest.mark.parametrize("command", found())
def test_threads_coroutines_and_deep_calls_have_their_own(command: list[str], tmp_path: Path) -> None:
    with running(command, write(tmp_path, THREADS)) as pid:
        stacks = profiled(pid)
    roots: Counter[str] = Counter()
    for each in stacks:
        calls = names(each)
        if calls[-1:] != ["spin"] or "" in calls:  # a sample tells so many new functions and leaves the rest unnamed
            continue
        if calls[-2] == "plain":
            assert calls == ["<module>", "plain", "spin"]
        elif calls[-2] == "Höher.名前":
            assert "serve" in calls
            assert "Thread._bootstrap" in calls
        else:
            assert set(calls[:-1]) == {"deep"}
            assert len(calls) == 128
            left_out = [frame["name"] for frame in each["frames"] if frame["side"] == "missing"]
            assert left_out == ["Python calls left out: more than 128"]
        roots[calls[-2]] += each["count"]
    assert set(roots) == {"plain", "Höher.名前", "deep"}
    assert roots.total() >= 0.8 * counted(stacks)


FORKS = """\
import ctypes, os, time

def work():
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass

ctypes.CDLL(None).prctl(15, b"forks-python")
while True:
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    os.waitpid(child, 0)
"""


@any_kernel
def test_what_a_python_forks_has_its_functions_from_the_first_sample_on(tmp_path: Path) -> None:
    command = interpreter("3.11")
    with (
        running(command, write(tmp_path, FORKS)),
        trace("cpu/profile", comm="forks-python", frequency=199) as traced,
    ):
        traced.until(lambda: counted(known(traced)) >= SAMPLES, f"{SAMPLES} samples of it")
        assert traced.end() == 0
    stacks = known(traced)
    assert len({each["labels"]["pid"] for each in stacks}) > 3
    working = sum(each["count"] for each in stacks if names(each) == ["<module>", "work"])
    assert working >= 0.8 * counted(stacks)  # else it forks, and begins and ends a process


@any_kernel
def test_a_version_that_is_not_known_shows_what_is_native(tmp_path: Path) -> None:
    command = interpreter("3.10")
    with running(command, write(tmp_path, SERVICE)) as pid, trace("cpu/profile", pid=pid, frequency=199) as traced:
        traced.until(lambda: counted(traced.stacks("samples", pid=pid)) >= SAMPLES, f"{SAMPLES} samples are taken")
        assert traced.end() == 0
    stacks = traced.stacks("samples", pid=pid)
    assert not any(map(python, stacks))
    assert counted(stacks, LOOP) >= 0.8 * counted(stacks)
