"""Doors for what comes from another machine over ssh, and for the tools that write tapes anew."""

from __future__ import annotations

import asyncio
import contextlib
import io
import tempfile
from collections.abc import AsyncIterator, Sequence
from functools import cache
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import structs

from ebpftop.base.errors import UserError
from ebpftop.export.tapes import merging, parts
from ebpftop.export.tapes.exporting import Format, export
from ebpftop.export.tapes.output import opened, output
from ebpftop.export.tapes.scrub import Names, scrub
from ebpftop.frames.codec import BadFrame, encode
from ebpftop.frames.messages import AnyFrame, AnyRequest, Hello, Host, Load, Loaded, Notice, Pong
from ebpftop.frames.reading import FrameDecoder
from ebpftop.frames.source import Source
from ebpftop.frames.stdio import GREETING, Greeted
from ebpftop.hosts.merged import MergedSource
from ebpftop.hosts.peer import Peer
from ebpftop.model.session import Session
from tests.fuzz.engine import Door
from tests.fuzz.streams import FRAMES, a_tape, joined, small_tape, story, stream_of
from tests.support import frames, hand_tape
from tests.support.scratch import scratch


class _Nobody(Source):
    """A connection over which nothing goes: what came is handed to the peer."""

    can_restart = True

    async def frames(self) -> AsyncIterator[AnyFrame]:
        return
        yield

    async def request(self, request: AnyRequest) -> None:
        pass

    async def close(self) -> None:
        pass


def read_host(data: bytes) -> None:
    """As far as a session, behind a good host's answers about its clocks; a host that breaks a rule is cut off."""
    greeted = Greeted()
    if not greeted.feed(data) or greeted.rest is None:
        return
    asyncio.run(_take(greeted.rest))


async def _take(data: bytes) -> None:
    source = MergedSource({"web-1": _Nobody(), "web-2": _Nobody()})
    session, asked = Session(), 0
    peer: Peer = source.peers[0]
    for frame in FrameDecoder(bounded=True).feed(data):
        peer._take(frame)
        if isinstance(frame, Hello):
            await source.request(Load(request=1, probe="cpu/syscount"))
        if isinstance(frame, Hello | Pong):
            asked += 1
            peer.clocks.asks(asked)
        await asyncio.sleep(0)
        while not source._queue.empty():
            taken = source._queue.get_nowait()
            if taken is not None and not isinstance(taken, Exception):
                session.feed(taken)


FORMATS: tuple[Format, ...] = ("openmetrics", "perfetto", "pprof", "speedscope", "csv")


def rewrite(data: bytes) -> None:
    """Cut, scrubbed or merged with a good one, and exported: one of each, by the input's length."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, scratch(data) as path, scratch(small_tape()) as good:
        with (
            contextlib.suppress(UserError),
            contextlib.closing(opened(path)) as reader,
            contextlib.closing(opened(good)) as other,
            output(Path(folder, "written"), [path], force=False) as written,
        ):
            match len(data) % 3:
                case 0:
                    parts.cut(reader, written, 0, 1 << 40)
                case 1:
                    scrub(reader, written, Names(frozenset(), {}), {})
                case 2:
                    merging.merge([reader, other], written)
        with contextlib.suppress(UserError), contextlib.closing(opened(path)) as reader:
            export(reader, FORMATS[len(data) % len(FORMATS)], io.BytesIO())


def _pong(number: int) -> bytes:
    return encode(Pong(number=number, realtime_ns=1, monotonic_ns=1, boottime_ns=1))[4:]


@cache
def _rest() -> list[bytes]:
    """What follows: the first run is the one that was requested."""
    found = [
        structs.replace(each, request=1) if isinstance(each, Loaded) and each.run == 1 else each
        for each in hand_tape.hand_written()[1:]
    ]
    return [encode(each)[4:] for each in found]


@cache
def _greeting() -> list[bytes]:
    return [encode(frames.hello())[4:], *map(_pong, range(1, 6))]


_KINDS: Sequence[type] = (*FRAMES, Pong, Host, Notice)
_streams: SearchStrategy[bytes] = st.tuples(
    st.sampled_from([b"", b"Last login\r\n", b"\0", b"\x1b[31m", b"\xff" * 70_000]),
    st.sampled_from([GREETING, GREETING, GREETING, GREETING[:9], GREETING.replace(b"frames ", b"frames 9"), b""]),
    st.sampled_from([_greeting()[:1], _greeting(), _greeting() + _rest()[:5], []]),
    stream_of(_KINDS),
).map(lambda parts: parts[0] + parts[1] + joined([*parts[2], *parts[3]]))
_tapes = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 2, 4, 8]), stream_of(FRAMES)), max_size=3).map(
    lambda blocks: a_tape([(0, story()), *blocks])
)

DOORS = [
    Door(
        "far-host",
        read_host,
        _streams,
        (BadFrame,),
        seeds=lambda: [GREETING + joined([*_greeting(), *_rest()])],
    ),
    Door("tape-tools", rewrite, _tapes, (BadFrame,), seeds=lambda: [small_tape()]),
]
