"""Frames from the local collector, over a socket; after a restart the supervisor provides a new one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable

from ebpftop.frames.codec import encode
from ebpftop.frames.messages import AnyFrame, AnyRequest, Host, Notice
from ebpftop.frames.reading import FrameDecoder
from ebpftop.frames.source import Source, SourceEnded

SILENCE = 5.0  # seconds without a frame that a user is told of: one that shows the machine's load comes every second
STARTING = 15.0  # seconds until the first of those
_MOMENT = 0.2  # seconds for taking what came while this process was stopped
_ENDED = "the collector has ended; its probes are detached"


class LocalSource(Source):
    """`restarted` requests a new collector from the supervisor and returns its stream. It blocks,
    and raises `OSError`.
    """

    live = True
    can_restart = True

    def __init__(self, stream: socket.socket, restarted: Callable[[], socket.socket]) -> None:
        self._socket = stream
        self._socket.setblocking(False)
        self._restarted = restarted
        self._closed = False
        self._ended = False

    async def frames(self) -> AsyncIterator[AnyFrame]:
        loop = asyncio.get_running_loop()
        decoder = FrameDecoder()
        patience = STARTING
        while not self._closed:
            since = time.monotonic()
            receiving = loop.create_task(self._received())
            try:
                # unlike a timeout, this loses no data that arrives while this process is stopped
                await asyncio.wait((receiving,), timeout=patience)
                if not receiving.done():
                    await asyncio.wait((receiving,), timeout=_MOMENT)
                is_silent = not receiving.done()
                if is_silent:
                    yield _notice(f"no data for {patience:.0f} s: the collector is stopped or hangs")
                data = await receiving
            finally:
                receiving.cancel()
            if self._closed:
                return
            if not data:
                self._ended = True
                raise SourceEnded(_ENDED)
            if is_silent:
                yield _notice(f"there is data again, after {time.monotonic() - since:.0f} s")
            for frame in decoder.feed(data):
                if isinstance(frame, Host):
                    patience = SILENCE
                yield frame

    async def _received(self) -> bytes:
        """The next bytes, none at the end."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._socket, 1 << 20)
        except OSError:
            return b""

    async def request(self, request: AnyRequest) -> None:
        if self._ended or self._closed:
            raise SourceEnded(_ENDED)
        try:
            await asyncio.get_running_loop().sock_sendall(self._socket, encode(request))
        except OSError:
            raise SourceEnded(_ENDED) from None

    async def restart(self) -> None:
        """Start a new collector. Raises `SourceEnded` if the supervisor is gone, too."""
        self._socket.close()
        try:
            self._socket = await asyncio.to_thread(self._restarted)
        except OSError as error:
            raise SourceEnded(f"the collector could not be restarted: {error}") from None
        self._socket.setblocking(False)
        self._ended = False

    async def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _notice(text: str) -> Notice:
    return Notice(level="warning", text=text)
