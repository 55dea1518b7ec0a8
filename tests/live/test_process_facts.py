"""A process whose threads, files, sockets and limits are known, as its page gets them: read as root by its identity."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ebpftop.frames.codec import encode
from ebpftop.frames.messages import ProcessFacts, ReadProcess
from ebpftop.frames.reading import FrameDecoder
from ebpftop.kernel import proc
from ebpftop.kernel.proc import ProcessFolder
from ebpftop.loader import processes
from ebpftop.loader.processes import reading
from tests.support.command import CHECKOUT
from tests.support.processes import eventually
from tests.support.tracing import any_kernel
from tests.support.worker import FILES, OPEN_FILES, THREADS

pytestmark = pytest.mark.bpf

NAME = "w)\n\x1b[2J (x"  # 15 bytes at most
USER = 65534


@pytest.fixture
def worker() -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-B", "-m", "tests.support.worker", NAME]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, user=USER, env={"HOME": "/"}
    ) as child:
        assert child.stdout
        opened = json.loads(child.stdout.readline())
        eventually(lambda: states(child.pid) == {"S"}, "all its threads wait")
        yield child, opened


def states(pid: int) -> set[str]:
    return {proc.stat(path.read_bytes()).state for path in Path(f"/proc/{pid}/task").glob("*/stat")}


def start_of(pid: int) -> int:
    with ProcessFolder(pid, None) as folder:
        return folder.stat.start_ns


def answers(stream: socket.socket) -> Iterator[ProcessFacts]:
    decoder = FrameDecoder()
    while data := stream.recv(1 << 20):
        for frame in decoder.feed(data):
            if isinstance(frame, ProcessFacts):
                yield frame


def checked(facts: ProcessFacts, child: subprocess.Popen[str], opened: dict[str, Any]) -> None:
    assert not facts.unread
    assert facts.comm == NAME
    assert facts.command is not None
    assert facts.command.endswith(f"-B -m tests.support.worker {NAME}")
    assert (facts.uid, facts.euid, facts.state) == (USER, USER, "S")
    assert facts.ancestors[0].tgid == os.getpid()
    assert facts.ancestors[-1].tgid == 1
    assert facts.rss
    assert facts.pss
    assert facts.pss <= facts.rss
    assert facts.swap == 0
    limits = {each.name: (each.soft, each.hard) for each in facts.limits}
    assert limits["open files"] == (OPEN_FILES, OPEN_FILES + 1)
    assert limits["core file size"] == (0, 4096)
    assert facts.thread_count == len(facts.threads) == THREADS + 1
    assert {each.tid for each in facts.threads} == {int(each) for each in os.listdir(f"/proc/{child.pid}/task")}
    assert {each.state for each in facts.threads} == {"S"}
    assert [each.target for each in facts.files if "/file " in each.target] == opened["files"]
    assert len(opened["files"]) == FILES
    sockets = {(each.protocol, each.local, each.remote, each.state) for each in facts.sockets}
    listens, connected = f"127.0.0.1:{opened['listens']}", f"127.0.0.1:{opened['connected']}"
    assert sockets == {
        ("tcp", listens, "", "listening"),
        ("tcp", listens, connected, "established"),
        ("tcp", connected, listens, "established"),
        ("unix", opened["unix"], "", "unconnected"),
    }
    assert facts.socket_count == 4


def test_a_page_gets_what_only_root_may_read_of_another_users_process(
    stream: socket.socket, worker: tuple[subprocess.Popen[str], dict[str, Any]]
) -> None:
    child, opened = worker
    request = ReadProcess(tgid=child.pid, start_ns=start_of(child.pid))
    frames = answers(stream)
    stream.sendall(encode(request))
    first = next(frames)
    checked(first, child, opened)
    assert first.user == "nobody"
    stream.sendall(encode(request))
    assert next(frames).boottime_ns > first.boottime_ns
    child.communicate("")
    stream.sendall(encode(request))
    last = next(frames)
    assert (last.gone, last.tgid, last.files) == (True, child.pid, [])


@any_kernel
def test_another_process_of_the_same_number_tells_nothing(stream: socket.socket) -> None:
    start = start_of(os.getpid())
    for wrong in (0, start + 10**9, (1 << 62) - 1):
        stream.sendall(encode(ReadProcess(tgid=os.getpid(), start_ns=wrong)))
        facts = next(answers(stream))
        assert facts == ProcessFacts(tgid=os.getpid(), start_ns=wrong, boottime_ns=facts.boottime_ns, gone=True)


@any_kernel
def test_a_client_that_requests_without_end_keeps_one_task_busy(stream: socket.socket) -> None:
    """Of requests that come while one is read, only the last is granted."""
    mine = ReadProcess(tgid=os.getpid(), start_ns=start_of(os.getpid()))
    flood = b"".join(encode(ReadProcess(tgid=number, start_ns=1)) for number in range(1, 5000))
    stream.sendall(flood + encode(mine))
    found = []
    for facts in answers(stream):
        found.append(facts)
        if facts.tgid == os.getpid() and not facts.gone:
            break
    assert len(found) < 1000
    assert all(each.gone for each in found[:-1])


@any_kernel
def test_long_lists_are_cut_and_counted(
    monkeypatch: pytest.MonkeyPatch, worker: tuple[subprocess.Popen[str], dict[str, Any]]
) -> None:
    child, _ = worker
    for name, most in (("MOST_THREADS", 2), ("MOST_FILES", 3), ("MOST_SOCKETS", 1), ("LONGEST_COMMAND", 9)):
        monkeypatch.setattr(processes, name, most)
    *_, (facts, whole) = reading(child.pid, start_of(child.pid))
    assert whole
    assert (len(facts.threads), facts.thread_count) == (2, THREADS + 1)
    assert (len(facts.files), facts.file_count) == (3, FILES + 3)
    assert (len(facts.sockets), facts.socket_count) == (1, 4)
    assert facts.command == sys.executable[:9]


@any_kernel
def test_what_could_hold_up_a_reader_comes_last(worker: tuple[subprocess.Popen[str], dict[str, Any]]) -> None:
    child, opened = worker
    (first, whole), (last, _) = reading(child.pid, start_of(child.pid))
    assert not whole
    assert (first.command, first.pss) == (None, None)
    assert [each.target for each in first.files if "/file " in each.target] == opened["files"]
    checked(last, child, opened)


def test_without_root_the_parts_that_take_it_are_named() -> None:
    script = (
        "import sys; from ebpftop.loader.processes import reading; "
        "*_, (facts, _) = reading(1, int(sys.argv[1])); print(facts.comm != '', facts.files, facts.unread)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, str(start_of(1))],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        user=USER,
        check=True,
    )
    assert done.stdout.startswith("True [] ")
    assert "open files: Permission denied" in done.stdout


def test_a_kernel_thread_has_no_memory() -> None:
    *_, (facts, _) = reading(2, start_of(2))
    assert (facts.comm, facts.command, facts.rss, facts.pss) == ("kthreadd", "", None, None)
    assert not facts.unread
