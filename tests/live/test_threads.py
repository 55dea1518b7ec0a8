"""Threads that are stuck: those that wait for one thing are one place that names it; nothing holds the reader up."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import NamedTuple

import psutil
import pytest

from ebpftop.frames.codec import encode
from ebpftop.frames.messages import ReadThreads, ThreadPlace, Threads
from ebpftop.frames.reading import FrameDecoder
from ebpftop.kernel import proc
from ebpftop.loader import processes, threads
from ebpftop.model.places import SLEEPING, STOPPED, STUCK, Place, Places
from tests.support.command import AS_NOBODY, CHECKOUT, complaint, ebpftop
from tests.support.processes import SLOWER, eventually
from tests.support.slow_fuse import slow_file
from tests.support.stuck import THREADS
from tests.support.tracing import any_kernel

pytestmark = pytest.mark.bpf

SIZE = 1 << 16


@contextlib.contextmanager
def stuck(kind: str, *path: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process whose fifty threads wait, and the name of what they wait for."""
    command = [sys.executable, "-B", "-m", "tests.support.stuck", kind, *path]
    with killed(subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, cwd=CHECKOUT)) as child:
        assert child.stdout
        yield child, child.stdout.readline().rstrip("\n")


@contextlib.contextmanager
def killed(child: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


class Silent(NamedTuple):
    """A file whose file system takes a day for a page, the process that serves it, and whoever uses it: they can't end
    before that process has.
    """

    file: Path
    server: psutil.Process
    users: contextlib.ExitStack


@contextlib.contextmanager
def silent_file(folder: Path) -> Iterator[Silent]:
    with slow_file(folder, SIZE, 1) as file, contextlib.ExitStack() as users:
        (server,) = [each for each in psutil.Process().children() if "tests.support.slow_fuse" in each.cmdline()]
        try:
            yield Silent(file, server, users)
        finally:
            server.kill()


def at(pid: int, name: str) -> Place | None:
    """The place of fifty threads of that process, once they are there."""
    places = Places().take(threads.reading(pid))
    return next((each for each in places if each.target == name and len(each.seen) == THREADS), None)


def states(pid: int) -> set[str]:
    found = set[str]()
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # that thread has ended
            found.add(proc.stat(path.read_bytes()).state)
    return found


def place_of(pid: int, name: str) -> Place:
    found: list[Place] = []

    def there() -> bool:
        found.extend(filter(None, [at(pid, name)]))
        return bool(found)

    eventually(there, f"fifty threads wait for {name}")
    return found[0]


def test_fifty_threads_that_read_one_pipe_are_one_line_with_its_name() -> None:
    with stuck("pipe") as (child, name):
        found = place_of(child.pid, name)
    assert name.startswith("pipe:[")
    assert (found.state, found.call, found.whose) == (SLEEPING, "read", f"{found.seen[0].thread.process} ({child.pid})")
    (functions, count), *_ = found.stacks
    assert count == THREADS
    assert "anon_pipe_read" in functions or "pipe_read" in functions


@any_kernel
def test_fifty_threads_that_wait_for_one_mutex_are_one_line_with_its_address() -> None:
    with stuck("mutex") as (child, name):
        found = place_of(child.pid, name)
    assert (found.state, found.call) == (SLEEPING, "futex")


def test_fifty_threads_that_read_one_silent_file_are_one_line_with_its_path(tmp_path: Path) -> None:
    with silent_file(tmp_path) as silent:
        child, name = silent.users.enter_context(stuck("file", str(silent.file)))
        found = place_of(child.pid, name)
        assert name == str(silent.file)
        assert found.call == "pread64"
        assert found.seen[0].thread.arguments[2:4] == [4096, 0]
        assert "request_wait_answer" in [each.partition(" ")[0] for each in found.stacks[0][0]]  # it may be a module's


def test_what_can_not_even_be_killed_holds_nobody_up_and_comes_first(tmp_path: Path) -> None:
    with silent_file(tmp_path) as silent:
        child, name = silent.users.enter_context(stuck("file", str(silent.file)))
        place_of(child.pid, name)
        child.kill()
        eventually(lambda: "D" in states(child.pid), "a thread waits for an answer that its death needs")
        read = threads.reading()
        assert read.unread == []
        places = Places().take(read)
        first = next(each for each in places if each.seen[0].thread.tgid == child.pid)
        assert (first.state, first.call, first.target) == (STUCK, "pread64", name)
        assert places.index(first) < min(at for at, each in enumerate(places) if each.state == SLEEPING)


@contextlib.contextmanager
def hung_in_execve(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Closing a file waits for its file system, and most of /proc about the process waits for the end of execve."""
    wait = "import os, sys\nos.open(sys.argv[1], 0)\nprint(flush=True)\ninput()\nos.execv('/bin/true', ['true'])"
    with silent_file(folder) as silent:
        command = [sys.executable, "-c", wait, str(silent.file)]
        child = silent.users.enter_context(killed(subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True)))
        assert child.stdin
        assert child.stdout
        assert child.stdout.readline() == "\n"
        silent.server.send_signal(signal.SIGSTOP)
        child.stdin.write("\n")
        child.stdin.flush()
        eventually(lambda: threads.reading(child.pid).unread != [], "it hangs")
        yield child


@any_kernel
def test_a_process_that_hangs_inside_execve_costs_nobody_but_itself(tmp_path: Path) -> None:
    with stuck("pipe") as (other, name):
        place_of(other.pid, name)
        with hung_in_execve(tmp_path) as child:
            read = threads.reading()
            (thread,) = [each for each in read.threads if each.tgid == child.pid]
            assert f"({child.pid})" in read.unread[0]
            assert (thread.target, thread.call, thread.stack) == (threads.HELD, None, None)
            found = next(each for each in Places().take(read) if each.target == name)
            assert len(found.seen) == THREADS
            ((facts, whole),) = processes.patiently(processes.reading(child.pid, 1), child.pid, 1)
            assert whole
            assert (facts.tgid, facts.gone, facts.comm) == (child.pid, False, thread.comm)
            assert facts.unread == [f"the rest: {processes.HANGS}"]


@any_kernel
def test_a_process_that_hangs_since_it_was_listed_costs_nobody_but_itself(tmp_path: Path) -> None:
    with hung_in_execve(tmp_path) as child:
        place = ThreadPlace(
            tid=child.pid, tgid=child.pid, start_ns=0, comm="python", process="python", state="S", cpu_ns=0
        )
        reader, found = threads._Reader(), list[ThreadPlace]()
        reading = threading.Thread(target=lambda: found.extend(reader.read([place], [])), daemon=True)
        reading.start()
        reading.join(20.0)
        assert found == [place]
        assert reader.unread == [f"what process {child.pid} waits for: reading it hangs"]


@any_kernel
def test_probes_run_beside_a_process_that_hangs_inside_execve(tmp_path: Path) -> None:
    with hung_in_execve(tmp_path):
        done = ebpftop("run", "runqlat", "--duration", 2 * SLOWER, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(each["count"] for line in lines for each in line["views"]["latency"]["series"]) > 0


@any_kernel
def test_a_stopped_process_is_one_line() -> None:
    with stuck("pipe") as (child, name):
        place_of(child.pid, name)
        child.send_signal(signal.SIGSTOP)
        eventually(lambda: states(child.pid) == {"T"}, "it has stopped")
        (found,) = Places().take(threads.reading(child.pid))
    assert (found.state, len(found.seen)) == (STOPPED, THREADS + 1)


def test_a_thread_that_waits_for_a_peer_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        wait = f"import socket\ns = socket.create_connection(('127.0.0.1', {port}))\nprint(flush=True)\ns.recv(1)"
        with subprocess.Popen([sys.executable, "-c", wait], stdout=subprocess.PIPE) as child:
            assert child.stdout
            assert child.stdout.readline() == b"\n"
            accepted, (_, its_port) = server.accept()
            name = f"tcp 127.0.0.1:{its_port} → 127.0.0.1:{port}"

            def named() -> bool:
                (found,) = Places().take(threads.reading(child.pid))
                return (found.call, found.target) == ("recvfrom", name)

            eventually(named, "it waits for the other side")
            accepted.close()


@any_kernel
def test_how_long_a_thread_has_not_run_is_known_from_two_looks() -> None:
    with stuck("pipe") as (child, name):
        place_of(child.pid, name)
        places = Places()
        first = threads.reading(child.pid)
        places.take(first)
        time.sleep(0.01)
        second = threads.reading(child.pid)
        found = next(each for each in places.take(second) if each.target == name)
    assert all((each.age_ns or 0) >= second.boottime_ns - first.boottime_ns for each in found.seen)


@any_kernel
def test_how_long_it_has_not_run_at_least_is_known_from_one_look() -> None:
    """From the scheduler's own note: at least until someone else ran on its CPU, and never more than the truth."""
    with stuck("pipe") as (child, name):
        place_of(child.pid, name)
        for cpu in sorted(os.sched_getaffinity(0)):  # who runs last on each
            subprocess.run(["taskset", "-c", str(cpu), "sleep", "0.3"], check=True)
        after = time.monotonic_ns()
        read = threads.reading()
        slept = time.monotonic_ns() - after
        found = next(each for each in Places().take(read) if each.target == name)
    ages = [each.age_ns or 0 for each in found.seen]
    assert len(ages) == THREADS
    alive = read.boottime_ns - min(each.thread.start_ns for each in found.seen) + slept + 2 * proc.TICK_NS
    assert 300_000_000 <= min(ages) <= max(ages) <= alive


@any_kernel
def test_a_list_of_too_many_threads_is_cut_and_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with stuck("pipe") as (child, name):
        place_of(child.pid, name)
        monkeypatch.setattr(threads, "MOST_THREADS", 7)
        read = threads.reading(child.pid)
    assert (len(read.threads), read.count) == (7, THREADS + 1)


@any_kernel
def test_the_command_prints_the_same() -> None:
    with stuck("pipe") as (child, name):
        place_of(child.pid, name)
        done = ebpftop("threads", "--json", "--interval", "0.05", "--pid", str(child.pid))
        (entry,) = [each for each in json.loads(done.stdout) if each["target"] == name]
        assert (entry["count"], entry["state"], entry["call"]) == (THREADS, SLEEPING, "read")
        assert {each["pid"] for each in entry["threads"]} == {child.pid}
        record = ebpftop("threads", "--interval", "0.05", "--pid", str(child.pid)).stdout
    (fields,) = [line.split("\t") for line in record.splitlines() if name in line]
    assert fields[:4] == [str(THREADS), SLEEPING, "read", name]


@any_kernel
def test_a_process_that_has_ended_is_one_line() -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert f"there is no process {child.pid}" in complaint(ebpftop("threads", "--pid", str(child.pid)), 1)


@any_kernel
def test_without_root_the_states_are_shown_and_what_is_missing_is_named() -> None:
    done = ebpftop("threads", "--no-sudo", "--interval", "0.05", "--pid", str(os.getpid()), before=AS_NOBODY)
    assert "without root" in done.stderr
    assert done.returncode == 0


def answers(stream: socket.socket) -> Iterator[Threads]:
    decoder = FrameDecoder()
    while data := stream.recv(1 << 20):
        for frame in decoder.feed(data):
            if isinstance(frame, Threads):
                yield frame


@any_kernel
def test_a_client_that_requests_without_end_keeps_one_task_busy(stream: socket.socket) -> None:
    """A hundred requests are one or two answers: those that come while a task reads are answered by it."""
    with stuck("pipe") as (child, name):
        place_of(child.pid, name)
        stream.sendall(encode(ReadThreads()) * 100)
        found = next(answers(stream))
        places = [each for each in Places().take(found) if each.target == name]
        assert [len(each.seen) for each in places] == [THREADS]
        supervisors = [each for each in psutil.Process().children(recursive=True) if each.name() == "ebpftop:threads"]
        assert len(supervisors) <= 1
