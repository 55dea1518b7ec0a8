"""Doors for what comes over sockets and from tapes: frames, requests, messages to root, scrapes, marks."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import socket
import tempfile
import types
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints
from unittest import mock

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ebpftop.collector.greeting import Greeting
from ebpftop.collector.server import Server
from ebpftop.export.exporter.accounts import Accounts
from ebpftop.export.exporter.exposition import Exposition
from ebpftop.export.exporter.serving import Server as Exporter
from ebpftop.export.headless import Reporter, writer
from ebpftop.export.tapes.info import as_json, as_text, info
from ebpftop.frames import messages
from ebpftop.frames.codec import BadFrame, encode, request_decoder
from ebpftop.frames.messages import Catalog
from ebpftop.frames.reading import FrameDecoder
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.frames.tape_format import BLOCK, FORMAT, MAGIC, RECORD, VERSION
from ebpftop.handover import mailbox, protocol
from ebpftop.model.session import Session
from ebpftop.supervisor.link import Link
from tests.fuzz.engine import Door
from tests.support import frames, hand_tape
from tests.support.hostile import RAW, TEXTS
from tests.support.scratch import scratch

HOSTILE = sorted(TEXTS.values())


# ---------------------------------------------------------------- what a type allows, and what it doesn't


def of_type(kind: Any) -> SearchStrategy[Any]:
    """Values of a message's field as msgpack holds them, mostly of the right type."""
    right = _right(kind)
    return st.one_of(right, right, right, right, right, right, right, _ODD)


_DEEP, _DEEP_KEYS = (msgspec.Raw(each * 5_000 + b"\xc0") for each in (b"\x91", b"\x81\xa0"))
_BAD_TEXT = "\U000f0000".encode()  # in whose place comes what is no UTF-8
_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1 << 31, 1 << 62, (1 << 63) - 1, -(1 << 63), (1 << 64) - 1]),
    st.sampled_from([float("nan"), float("inf"), -0.0, 1e308]),
    st.binary(max_size=8),
    st.sampled_from(HOSTILE),
    st.lists(st.integers(0, 3), max_size=2),
    st.sampled_from([_DEEP, _DEEP_KEYS]),
)


@functools.cache
def _right(kind: Any) -> SearchStrategy[Any]:
    if kind.__class__.__name__ == "_AnnotatedAlias":
        return _right(kind.__origin__)
    if kind is int:
        return st.one_of(st.integers(0, 9), st.sampled_from([0, 1, 2, 1 << 31, 1 << 61, -1]))
    if kind is float:
        return st.sampled_from([0.0, 1e-9, 0.5, 1.0, 1e15])
    if kind is str:
        return st.one_of(
            st.sampled_from(["calls", "count", "tgid", "latency", "slot", "stack", "cpu/some", ""]),
            st.sampled_from(HOSTILE),
        )
    if kind is bytes:
        return st.binary(max_size=24)
    if kind is bool:
        return st.booleans()
    if kind is type(None):
        return st.none()
    origin, inner = getattr(kind, "__origin__", None), get_args(kind)
    if origin is list:
        return st.lists(of_type(inner[0]), max_size=3)
    if origin is tuple:
        return st.tuples(*map(of_type, inner))
    if origin is dict:
        return st.dictionaries(_right(inner[0]), of_type(inner[1]), max_size=3)
    if isinstance(kind, types.UnionType) or (origin is not None and getattr(origin, "__name__", "") == "Union"):
        return st.one_of(*map(_right, inner))
    if getattr(origin, "__name__", getattr(kind, "__class__", type).__name__) == "Literal" or "Literal" in str(kind):
        return st.sampled_from(inner)
    return message(kind)


@functools.cache
def message(kind: Any) -> SearchStrategy[Any]:
    """A message, of which fields may be missing."""
    hints = get_type_hints(kind, include_extras=True)
    config = kind.__struct_config__
    names = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    fields = {names[name]: st.deferred(lambda each=hints[name]: of_type(each)) for name in names}
    if config.array_like:
        return st.tuples(*fields.values()).map(list)
    required = {names[each.name] for each in msgspec.structs.fields(kind) if each.required}
    tag = {config.tag_field: st.just(config.tag)} if config.tag_field else {}
    return st.fixed_dictionaries(
        {**tag, **{name: fields[name] for name in fields if name in required}},
        optional={name: fields[name] for name in fields if name not in required},
    )


def stream_of(kinds: Sequence[Any]) -> SearchStrategy[list[bytes]]:
    """Some messages as msgpack."""
    one = st.sampled_from(kinds).flatmap(message).map(_packed)
    return st.lists(one, max_size=6)


def _packed(value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value).replace(_BAD_TEXT, b"x\xff\xc3(")
    except (UnicodeEncodeError, OverflowError):
        return b"\xc0"


def joined(parts: list[bytes]) -> bytes:
    return b"".join(len(each).to_bytes(4, "little") + each for each in parts)


# ---------------------------------------------------------------- frames, from a collector and from a tape


def consume(found: Iterator[Any]) -> None:
    """As a consumer does: a session, and each interval in a format."""
    session = Session()
    reporter = Reporter(writer("text", io.StringIO(), io.StringIO()), io.StringIO())
    for frame in found:
        session.feed(frame)
        reporter.take(frame)
    reporter.finish()


def read_stream(data: bytes) -> None:
    consume(FrameDecoder().feed(data))


def read_tape(data: bytes) -> None:
    with scratch(data) as path:
        reader = TapeReader(path)
        with contextlib.closing(reader):
            told = info(reader)
            as_json(told)
            assert all(each.isprintable() for each in as_text(told))
            deque(reader.since(round(reader.duration * 5e8)), 0)
            consume(frame for _, frame in reader)


@cache
def whole_tape() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return hand_tape.written(Path(folder, "a.tape")).read_bytes()


@cache
def small_tape() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.tape")
        with TapeWriter(path, clock=lambda: 0) as tape:
            for frame in hand_tape.hand_written()[:9]:
                tape.write(frame)
        return path.read_bytes()


def a_tape(parts: list[tuple[int, list[bytes]]]) -> bytes:
    """Blocks of frames, whole in themselves."""
    found = MAGIC + FORMAT.pack(VERSION)
    for kind, bodies in parts:
        data = b"".join(RECORD.pack(0, len(body)) + body for body in bodies)
        packed = zlib.compress(data, 1)
        found += BLOCK.pack(len(packed), len(data), 0, 0, kind) + packed
    return found


def story() -> list[bytes]:
    return [_packed(frame) for frame in hand_tape.hand_written()[:6]]


FRAMES = get_args(messages.Written)
_bodies = stream_of(FRAMES).map(lambda parts: story() + parts)
_tapes = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 2, 4, 8, 3]), stream_of(FRAMES)), max_size=3).map(
    lambda parts: a_tape([(0, story()), *parts])
)


# ---------------------------------------------------------------- requests, to a collector


class Served:
    """A collector that serves a hostile dashboard, and a supervisor that answers nothing. It serves many, one after the
    other, as its threads stay.
    """

    def __init__(self) -> None:
        (self.control, self.asked), theirs = mailbox.pair(1 << 20)
        self.ours, stream = socket.socketpair()
        catalog = Catalog(probes=[frames.probe("cpu/some", [frames.CALLS])])
        self.server = Server(theirs, stream, catalog, Greeting(stream, catalog).finish(), idle=False)
        self.ours.setblocking(False)

    def take(self, data: bytes) -> None:
        server = self.server
        server._requests, server._running = request_decoder(), True
        for at in range(0, len(data), 1 << 15):
            self.ours.send(data[at : at + (1 << 15)])
            server._on_requests()
            if not server._running:
                break
        for _ in range(3):
            server._grant_more()
            server._timeout()
            server._tick(server._host_at)
            server._flush()
            self.asked.take()
            with contextlib.suppress(BlockingIOError):
                while self.ours.recv(1 << 20):
                    pass


@cache
def served() -> Served:
    return Served()


def read_requests(data: bytes) -> None:
    served().take(data)


# ---------------------------------------------------------------- messages, to the supervisor


def read_control(data: bytes) -> None:
    """What a collector that was taken over may send to root: messages, each with its length in front."""
    ours, theirs = mailbox.pair(1 << 15)
    selector = mock.Mock()
    taken: list[Any] = []
    ended: list[bool] = []
    link = Link(selector, ours, taken.append, lambda: ended.append(True))
    at = 0
    try:
        while at + 4 <= len(data) and not ended:
            length = int.from_bytes(data[at : at + 4], "little") % (1 << 15)
            packet = data[at + 4 : at + 4 + length]
            at += 4 + length
            os.pwrite(theirs.mailbox.descriptors[0], length.to_bytes(8, "little") + packet, 0)
            os.eventfd_write(theirs.mailbox.fileno(), 1)
            link._on_message()
    finally:
        link.close()
        theirs.socket.close()


_MESSAGES = get_args(protocol.AnyMessage)


# ---------------------------------------------------------------- scrapes and marks


@cache
def exporter() -> Exporter:
    accounts = Accounts(20, io.StringIO())
    reporter = Reporter(accounts, io.StringIO())
    for frame in hand_tape.hand_written():
        reporter.take(frame)
    return Exporter(Exposition(accounts).text)


def read_scrape(data: bytes) -> None:
    head = data.partition(b"\r\n\r\n")[0][:8192].decode("latin-1")
    answer = exporter()._answer(head)
    assert answer.startswith(b"HTTP/1.1 ")


_scrapes = st.tuples(
    st.sampled_from(
        [b"GET /metrics HTTP/1.1", b"HEAD / HTTP/1.0", b"GET", b"GET  /metrics HTTP/1.1", b"POST /metrics HTTP/1.1"]
    ),
    st.lists(
        st.one_of(
            st.sampled_from(sorted(RAW.values())),
            st.tuples(
                st.sampled_from([b"Accept: ", b"accept:", b"ACCEPT: ", b"Host: "]),
                st.lists(
                    st.sampled_from(
                        [
                            b"application/openmetrics-text",
                            b";",
                            b"version=1.0.0",
                            b"version=",
                            b"version=x",
                            b"q=0.5",
                            b"escaping=allow-utf-8",
                            b"escaping=",
                            b"text/plain",
                            b",",
                            b"=",
                            b" ",
                            b"*/*",
                            b"\xff",
                        ]
                    ),
                    max_size=8,
                ).map(b"".join),
            ).map(b"".join),
        ),
        max_size=4,
    ),
).map(lambda parts: b"\r\n".join([parts[0], *parts[1]]) + b"\r\n\r\n")

DOORS = [
    Door(
        "frames",
        read_stream,
        _bodies.map(joined),
        (BadFrame,),
        seeds=lambda: [b"".join(encode(each) for each in hand_tape.hand_written())],
    ),
    Door("tape", read_tape, _tapes, (BadFrame,), seeds=lambda: [whole_tape(), small_tape()]),
    Door(
        "requests",
        read_requests,
        stream_of(get_args(messages.AnyRequest)).map(joined),
        seeds=lambda: [encode(messages.Load(request=1, probe="cpu/some")) + encode(messages.Watch(runs=[1]))],
    ),
    Door(
        "control",
        read_control,
        stream_of(_MESSAGES).map(joined),
        seeds=lambda: [joined([_packed(protocol.RequestLoad(run=1, request=1, probe="cpu/some", params={}))])],
    ),
    Door(
        "scrape",
        read_scrape,
        _scrapes,
        seeds=lambda: [
            b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n"
        ],
    ),
]
