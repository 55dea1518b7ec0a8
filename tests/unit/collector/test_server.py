"""What a consumer is told of its wishes, by a collector whose supervisor a test plays."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest

from ebpftop import handover
from ebpftop.collector.server import Server
from ebpftop.frames.codec import encode, frame_decoder
from ebpftop.frames.messages import AnyFrame, AnyWish, Catalog, Load, Loading, ProbeInfo, Refused, Rejected

PROBE = ProbeInfo(
    id="cpu/some", title="", summary="", category="cpu", question="", overhead="", params=[], views=[], source=""
)


class Served:
    """A collector in a thread, between a consumer's stream and a supervisor's control."""

    def __init__(self) -> None:
        self.control, theirs = handover.pair()
        self.stream, stream = socket.socketpair()
        self.asked = handover.Receiver(self.control)
        self._decoder = frame_decoder()
        self._server = Server(theirs, stream, Catalog(probes=[PROBE]), idle=False)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()

    def wish(self, wish: AnyWish) -> None:
        self.stream.sendall(encode(wish))

    def ask(self) -> handover.Ask:
        """What it asks of the supervisor, statistics apart."""
        while True:
            received = self.asked.receive()
            assert received is not None
            if isinstance(received[0], handover.Ask):
                return received[0]

    def frames(self) -> Iterator[AnyFrame]:
        while True:
            yield from self._decoder.feed(self.stream.recv(1 << 16))

    def answers(self) -> Iterator[AnyFrame]:
        """Frames that answer a wish."""
        return (frame for frame in self.frames() if isinstance(frame, Loading | Refused | Rejected))

    def close(self) -> None:
        self.stream.close()
        self._thread.join()
        self.control.close()


@pytest.fixture
def served() -> Iterator[Served]:
    one = Served()
    yield one
    one.close()


def test_a_refused_wish_is_answered_by_nothing_but_the_refusal(served: Served) -> None:
    answers = served.answers()
    served.wish(Load(probe="cpu/some", params={"pid": "7"}))
    handover.send(served.control, handover.Refusal(run=served.ask().run, error="no process 7"))
    assert next(answers) == Refused(probe="cpu/some", params={"pid": "7"}, error="no process 7")
    served.wish(Load(probe="cpu/other", params={"pid": "7"}))
    assert next(answers) == Refused(probe="cpu/other", params={"pid": "7"}, error="no probe 'cpu/other' in the catalog")


def test_an_accepted_wish_waits_for_its_load(served: Served) -> None:
    answers = served.answers()
    served.wish(Load(probe="cpu/some"))
    number = served.ask().run
    task, theirs = handover.pair()
    handover.send(served.control, handover.Channel(run=number), [theirs.fileno()])
    assert next(answers) == Loading(run=number, probe="cpu/some", params={}, stage="queued")
    handover.send(task, handover.Progress(stage="types"))
    assert next(answers) == Loading(run=number, probe="cpu/some", params={}, stage="types")
    handover.send(task, handover.Refusal(run=0, error="no function does_not_exist"))
    assert next(answers) == Refused(probe="cpu/some", params={}, error="no function does_not_exist")


def test_a_catalog_read_again_is_told_with_what_was_found_of_it_before(served: Served) -> None:
    def told() -> Catalog:
        return next(frame for frame in served.frames() if isinstance(frame, Catalog))

    assert told().probes == [PROBE]
    survey, theirs = handover.pair()
    handover.send(served.control, handover.Channel(run=0), [theirs.fileno()])
    found = handover.Verdict(probe="cpu/some", available=True, variant="raw", meaning="exact")
    handover.send(survey, handover.Surveyed(verdicts=[found]))
    assert told().probes[0].variant == "raw"
    saved = msgspec.structs.replace(PROBE, source="int x;", revision="2")
    new = msgspec.structs.replace(PROBE, id="my/new")
    handover.send(served.control, handover.Reread(catalog=Catalog(probes=[saved, new], problems=["one"])))
    again = told()
    assert again.problems == ["one"]
    assert again.probes == [
        msgspec.structs.replace(saved, available=True, variant="raw", meaning="exact"),
        new,
    ]
    served.wish(Load(probe="my/new"))
    assert served.ask().probe == "my/new"
