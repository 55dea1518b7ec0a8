"""Root tasks: a few at a time, the others in a queue that ends somewhere; none is lost."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import tempfile
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from ebpftop.handover import protocol, transport
from ebpftop.supervisor import tasks
from ebpftop.supervisor.tasks import MOST_AT_ONCE, MOST_WAITING, NotStarted, Tasks


def say(text: str, channel: socket.socket) -> None:
    transport.send(channel, protocol.TaskFailed(error=text))


def block(channel: socket.socket) -> None:
    say("here", channel)
    signal.pause()


def said(channel: socket.socket) -> str:
    receiver = transport.Receiver(channel)
    received = receiver.receive()
    receiver.close()
    assert received is not None
    assert isinstance(received[0], protocol.TaskFailed)
    return received[0].error


def reap_one(running: Tasks) -> protocol.TaskEnded | None:
    """Wait for a task; children that other tests left behind are none."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid in running._running:
            return running.reap(pid, status)


@pytest.fixture
def running() -> Iterator[Tasks]:
    """Tasks of which as many run as may, and don't end by themselves."""
    made = Tasks()
    for number in range(MOST_AT_ONCE):
        channel = made.start("blocked", number, block, first=True)
        assert said(channel) == "here"
    yield made
    made.end_all()
    while made.next_deadline() is not None:
        reap_one(made)


def test_what_is_over_the_limit_waits_and_none_is_lost() -> None:
    made = Tasks()
    channels = [made.start("told", number, partial(say, str(number))) for number in range(23)]
    for _ in channels:
        assert reap_one(made) is None
    assert [said(channel) for channel in channels] == [str(number) for number in range(23)]


def test_loads_wait_for_a_processor_and_nothing_else_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "LOADS_AT_ONCE", 2)
    made = Tasks()
    for number in range(2):
        assert said(made.start("blocked", number, block)) == "here"
    waiting = made.start("told", 2, partial(say, "waited"))
    assert said(made.start("told", 3, partial(say, "first"), first=True)) == "first"
    assert reap_one(made) is None
    with pytest.raises(BlockingIOError):
        waiting.recv(1, socket.MSG_DONTWAIT)
    os.kill(next(iter(made._running)), signal.SIGKILL)
    assert reap_one(made) is not None
    assert said(waiting) == "waited"
    assert reap_one(made) is None
    made.end_all()
    assert reap_one(made) is not None
    assert made.next_deadline() is None


def test_a_waiting_task_runs_when_one_ends_and_the_first_before_all_others(running: Tasks) -> None:
    waiting = running.start("told", 100, partial(say, "waited"))
    first = running.start("told", 101, partial(say, "first"), first=True)
    for channel in (waiting, first):
        channel.setblocking(False)
        with pytest.raises(BlockingIOError):
            channel.recv(1)
        channel.setblocking(True)
    running.renumber(100, 7)
    some_pid = next(iter(running._running))
    os.kill(some_pid, signal.SIGKILL)
    ended = reap_one(running)
    assert ended is not None
    assert ended.error == "the blocked was killed by SIGKILL"
    assert said(first) == "first"
    with pytest.raises(BlockingIOError):
        waiting.recv(1, socket.MSG_DONTWAIT)
    assert reap_one(running) is None
    assert said(waiting) == "waited"
    assert reap_one(running) is None


def test_the_queue_has_an_end_beyond_which_there_is_room_for_what_serves_all(running: Tasks) -> None:
    for number in range(MOST_WAITING):
        running.start("waits", number, block).close()
    with pytest.raises(NotStarted, match="not loaded: 128 probes are waiting already"):
        running.start("refused", 0, block)
    running.start("census", -1, block, first=True).close()


@pytest.fixture
def descriptors() -> Iterator[Callable[[int], None]]:
    """Lets this process open so many descriptors more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def leave(few: int) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        lowest = os.dup(0)
        os.close(lowest)
        free = [each for each in range(lowest, lowest + 99) if not Path(f"/proc/self/fd/{each}").exists()]
        resource.setrlimit(resource.RLIMIT_NOFILE, (free[few], before[1]))

    yield leave
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_task_that_cannot_be_started_says_so_and_the_others_go_on(descriptors: Callable[[int], None]) -> None:
    made = Tasks()
    descriptors(2)
    channel = made.start("loader", 3, partial(say, "never"))
    assert said(channel) == "the loader could not be started: Too many open files"
    assert made.next_deadline() is None
    descriptors(0)
    with pytest.raises(NotStarted, match="the loader could not be started: Too many open files"):
        made.start("loader", 4, partial(say, "never"))
    descriptors(30)
    channel = made.start("loader", 5, partial(say, "again"))
    assert reap_one(made) is None
    assert said(channel) == "again"


def test_a_task_that_only_computes_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def compute(channel: socket.socket) -> None:
        while True:
            pass

    monkeypatch.setattr(tasks, "CPU_SECONDS", 1)
    made = Tasks()
    made.start("computes", 3, compute).close()
    ended = reap_one(made)
    assert ended is not None
    assert (ended.run, ended.error) == (3, "the computes used more than 1 s of CPU time and was stopped")


def test_a_task_that_takes_longer_than_it_may_is_ended() -> None:
    made = Tasks()
    channel = made.start("waits", 3, block, seconds=0.0)
    assert said(channel) == "here"
    made.end_overdue()
    ended = reap_one(made)
    assert ended is not None
    assert (ended.run, ended.error) == (3, "the waits took longer than 0 s and was stopped")


def test_a_task_has_its_limits_before_it_works() -> None:
    def limits(channel: socket.socket) -> None:
        kinds = (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU, resource.RLIMIT_CORE)
        say(repr([resource.getrlimit(kind) for kind in kinds]), channel)

    made = Tasks()
    channel = made.start("limited", 0, limits)
    assert reap_one(made) is None
    assert said(channel) == repr([(1536 << 20, 1536 << 20), (256 << 20, 256 << 20), (60, 70), (0, 0)])


def test_a_limit_that_is_there_is_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which a root without CAP_SYS_RESOURCE, as in a container, may not."""
    there = {resource.RLIMIT_AS: 1 << 30}
    made: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (0, there.get(kind, resource.RLIM_INFINITY)))
    monkeypatch.setattr(resource, "setrlimit", made.__setitem__)
    tasks.limit()
    assert made == {
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_AS: (1 << 30, 1 << 30),
        resource.RLIMIT_FSIZE: (tasks.FILE_SIZE, tasks.FILE_SIZE),
    }


def test_a_task_whose_reader_is_killed_ends_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the reader hadn't read makes that ECONNRESET instead of EPIPE."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    made = Tasks()
    channel = made.start("told", 0, say_to_nobody)
    channel.recv(1, socket.MSG_PEEK)
    channel.close()
    assert reap_one(made) is None
    assert not list(tmp_path.iterdir())


def say_to_nobody(channel: socket.socket) -> None:
    say("here", channel)
    poll = select.poll()
    poll.register(channel, 0)
    poll.poll()
    say("more", channel)


def hungry(channel: socket.socket) -> None:
    bytearray(4 << 30)


def hungry_cpp(channel: socket.socket) -> None:
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.abort()


def hungry_library(channel: socket.socket) -> None:
    raise OSError("libx.so.14: failed to map segment from shared object")


@pytest.mark.parametrize("work", [hungry, hungry_cpp, hungry_library])
def test_a_task_that_takes_too_much_memory_is_said_to(work: tasks.Work) -> None:
    made = Tasks()
    made.start("hungry", 3, work).close()
    ended = reap_one(made)
    assert ended is not None
    assert (ended.run, ended.error) == (3, "the hungry ran out of memory: limit 1,536 MiB")


def test_a_task_that_aborts_for_another_reason_did_not_run_out_of_memory() -> None:
    made = Tasks()
    made.start("aborts", 3, lambda _: os.abort()).close()
    ended = reap_one(made)
    assert ended is not None
    assert ended.error == "the aborts was killed by SIGABRT"


def too_large(_: socket.socket) -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(1)


def test_a_task_that_may_write_no_files_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "FILE_SIZE", 0)
    made = Tasks()
    made.start("loader", 1, too_large).close()
    ended = reap_one(made)
    assert ended is not None
    assert ended.error == "the loader could not write its files: limit 0 bytes (see 'ulimit -f')"


def test_a_task_can_not_fill_a_disk() -> None:
    def fills(channel: socket.socket) -> None:
        descriptor = os.memfd_create("large")
        try:
            os.pwrite(descriptor, b"x", 1 << 30)
        except OSError as error:
            say(error.strerror or "", channel)

    made = Tasks()
    channel = made.start("fills", 0, fills)
    assert reap_one(made) is None
    assert said(channel) == "File too large"


def test_only_so_many_of_a_kind_wait_and_a_request_is_let_go_once_its_task_runs(running: Tasks) -> None:
    class Request:
        pass

    def answer(_: Request, channel: socket.socket) -> None:
        say("answered", channel)

    channels, requests = [], []
    for number in range(tasks.MOST_OF_A_KIND):
        request = Request()
        requests.append(weakref.ref(request))
        channels.append(running.start("symbols", number, partial(answer, request), first=True))
    del request
    with pytest.raises(NotStarted, match="the symbols could not be started: 2 are waiting already"):
        running.start("symbols", 9, block, first=True)
    channels.append(running.start("code", 9, partial(say, "answered"), first=True))
    assert all(each() for each in requests)
    os.kill(next(iter(running._running)), signal.SIGKILL)
    reap_one(running)
    while running._waiting:
        reap_one(running)
    assert not any(each() for each in requests)
    assert [said(channel) for channel in channels] == ["answered"] * 3
