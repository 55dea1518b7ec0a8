"""The answers to a consumer's requests, from a collector whose supervisor is played by the test."""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ebpftop.collector.census import Census
from ebpftop.collector.greeting import Greeting
from ebpftop.collector.server import Server
from ebpftop.frames.codec import encode
from ebpftop.frames.messages import (
    AnyFrame,
    AnyRequest,
    Catalog,
    Failed,
    Load,
    Loading,
    ParamInfo,
    ProbeInfo,
    Refused,
    Rejected,
    Watch,
)
from ebpftop.frames.reading import FrameDecoder
from ebpftop.handover import mailbox, protocol, transport
from ebpftop.kernel import mounts

PID = ParamInfo(name="pid", type="pid")
PROBE = ProbeInfo(
    id="cpu/some", title="", summary="", category="cpu", question="", overhead="", params=[PID], views=[], source=""
)


class Served:
    """A collector in a thread, between a consumer's stream and a supervisor's control."""

    def __init__(self) -> None:
        (self.control, self._mailbox), theirs = mailbox.pair(1 << 20)
        self._asked = queue.SimpleQueue[protocol.AnyMessage | None]()
        self.stream, stream = socket.socketpair()
        self._decoder = FrameDecoder()
        catalog = Catalog(probes=[PROBE])
        greeting = Greeting(stream, catalog)
        self._server = Server(theirs, stream, catalog, greeting.finish(), idle=False)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        self._supervisor = threading.Thread(target=self._take)
        self._supervisor.start()

    def _take(self) -> None:
        while self._thread.is_alive():
            if select.select([self._mailbox], [], [], 0.05)[0]:
                self._asked.put(self._mailbox.take())

    def request(self, request: AnyRequest) -> None:
        self.stream.sendall(encode(request))

    def ask(self) -> protocol.RequestLoad:
        """What it asks of the supervisor, statistics apart."""
        while True:
            received = self._asked.get()
            if isinstance(received, protocol.RequestLoad):
                return received

    def frames(self) -> Iterator[AnyFrame]:
        while True:
            yield from self._decoder.feed(self.stream.recv(1 << 16))

    def answers(self) -> Iterator[AnyFrame]:
        """Frames that answer a request."""
        return (frame for frame in self.frames() if isinstance(frame, Loading | Refused | Rejected))

    def close(self) -> None:
        self.stream.close()
        self._thread.join()
        self._supervisor.join()
        self.control.close()
        self._mailbox.close()


@pytest.fixture
def served() -> Iterator[Served]:
    one = Served()
    yield one
    one.close()


def test_a_refused_request_is_answered_by_nothing_but_the_refusal(served: Served) -> None:
    answers = served.answers()
    served.request(Load(request=1, probe="cpu/some", params={"pid": "7"}))
    transport.send(served.control, protocol.Refusal(run=served.ask().run, error="no process 7"))
    assert next(answers) == Refused(request=1, error="no process 7")
    served.request(Load(request=2, probe="cpu/other", params={"pid": "7"}))
    assert next(answers) == Refused(request=2, error="no probe 'cpu/other' in the catalog")


@pytest.mark.parametrize("text", ["web:", "web:abc", "web:0", ":5", "a:b:c", "web:9"])
def test_a_pid_in_a_container_that_is_none_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(mounts, "hierarchies", dict)
    with contextlib.closing(Served()) as served:
        answers = served.answers()
        served.stream.settimeout(20.0)
        served.request(Load(request=1, probe="cpu/some", params={"pid": text}))
        refused = next(answers)
        assert isinstance(refused, Refused)
        assert refused.error.startswith("cpu/some: pid: ")
        served.request(Load(request=2, probe="cpu/other"))  # it goes on
        assert isinstance(next(answers), Refused)


def test_pressure_is_read_of_cgroups_alone_in_which_a_process_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some.slice").mkdir()
    (tmp_path / "some.slice/cpu.pressure").write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n")
    known = set[str]()
    monkeypatch.setattr(Census, "knows_cgroup", lambda _, path: path in known)
    monkeypatch.setattr(mounts, "cgroups", lambda: tmp_path)
    with contextlib.closing(Served()) as served:
        for number, watched in enumerate(("", "/some.slice"), 1):
            served.request(Watch(runs=[], cgroup="/some.slice"))
            served.request(Load(request=number, probe="cpu/other"))
            next(served.answers())  # what was in front of it has been dealt with
            assert served._server._pressures.cgroup == watched
            known.add("/some.slice")


def test_an_accepted_request_waits_for_its_load(served: Served) -> None:
    answers = served.answers()
    served.request(Load(request=1, probe="cpu/some"))
    number = served.ask().run
    task, theirs = transport.pair()
    transport.send(served.control, protocol.Channel(run=number), [theirs.fileno()])
    assert next(answers) == Loading(request=1, run=number, probe="cpu/some", params={}, stage="queued")
    transport.send(task, protocol.Progress(stage="types"))
    assert next(answers) == Loading(request=1, run=number, probe="cpu/some", params={}, stage="types")
    transport.send(task, protocol.Refusal(run=0, error="no function does_not_exist"))
    assert next(answers) == Refused(request=1, error="no function does_not_exist")


def test_two_equal_loads_are_two_each_answered_to_who_requested_it(served: Served) -> None:
    answers = served.answers()
    for request in (5, 9):
        served.request(Load(request=request, probe="cpu/some", params={"pid": "7"}))
    first, second = served.ask(), served.ask()
    assert (first.request, second.request) == (5, 9)
    assert first.run != second.run
    tasks = {}
    for asked in (second, first):
        tasks[asked.request], theirs = transport.pair()
        transport.send(served.control, protocol.Channel(run=asked.run), [theirs.fileno()])
        queued = next(answers)
        assert isinstance(queued, Loading)
        assert (queued.request, queued.run, queued.stage) == (asked.request, asked.run, "queued")
    outcome = Failed(stage="attach", error="no such function")
    transport.send(tasks[5], protocol.LoadFailed(outcome=outcome))
    failed = next(answers)
    assert isinstance(failed, Rejected)
    assert (failed.request, failed.run, failed.error) == (5, first.run, "no such function")
    transport.send(tasks[9], protocol.Refusal(run=0, error="no process 7"))
    assert next(answers) == Refused(request=9, error="no process 7")


def test_a_loader_that_ends_early_fails_at_the_stage_it_was_in(served: Served) -> None:
    answers = served.answers()
    for request, stage, failed_stage in ((1, "compile", "compile"), (2, "attach", "load")):
        served.request(Load(request=request, probe="cpu/some"))
        number = served.ask().run
        task, theirs = transport.pair()
        transport.send(served.control, protocol.Channel(run=number), [theirs.fileno()])
        transport.send(task, protocol.Progress(stage=stage))
        assert [next(answers).stage, next(answers).stage] == ["queued", stage]
        ended = protocol.TaskEnded(run=number, error="the loader exited with status 1", output="LLVM ERROR: no")
        transport.send(served.control, ended)
        frame = next(answers)
        assert isinstance(frame, Rejected)
        assert (frame.request, frame.stage, frame.error) == (request, failed_stage, "the loader exited with status 1")
        assert (frame.text, frame.log) == (PROBE.source, "LLVM ERROR: no")


def test_a_catalog_read_again_is_told_with_what_was_found_of_it_before(served: Served) -> None:
    def told() -> Catalog:
        return next(frame for frame in served.frames() if isinstance(frame, Catalog))

    assert told().probes == [PROBE]
    survey, theirs = transport.pair()
    transport.send(served.control, protocol.Channel(run=0), [theirs.fileno()])
    found = protocol.Availability(probe="cpu/some", available=True, variant="raw", meaning="exact")
    transport.send(survey, protocol.Surveyed(found=[found]))
    assert told().probes[0].variant == "raw"
    saved = msgspec.structs.replace(PROBE, source="int x;", revision="2")
    new = msgspec.structs.replace(PROBE, id="my/new")
    transport.send(served.control, protocol.Reread(catalog=Catalog(probes=[saved, new], problems=["one"])))
    again = told()
    assert again.problems == ["one"]
    assert again.probes == [
        msgspec.structs.replace(saved, available=True, variant="raw", meaning="exact"),
        new,
    ]
    served.request(Load(request=1, probe="my/new"))
    assert served.ask().probe == "my/new"


def test_a_burst_of_requests_is_answered_one_by_one(served: Served) -> None:
    """More than the supervisor's socket takes at once."""
    burst = threading.Thread(target=lambda: [served.request(Load(request=n, probe="cpu/some")) for n in range(3000)])
    burst.start()
    answers = served.answers()
    for number in range(3000):
        transport.send(served.control, protocol.Refusal(run=served.ask().run, error="full"))
        assert next(answers) == Refused(request=number, error="full")
    burst.join()
