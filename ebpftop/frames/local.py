"""Frames from the local collector, over a socket; after a restart the supervisor provides a new one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

from ebpftop.frames.codec import encode
from ebpftop.frames.messages import AnyFrame, AnyRequest
from ebpftop.frames.reading import FrameDecoder
from ebpftop.frames.source import Source, SourceEnded

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
        while not self._closed:
            try:
                data = await loop.sock_recv(self._socket, 1 << 20)
            except OSError:
                data = b""
            if self._closed:
                return
            if not data:
                self._ended = True
                raise SourceEnded(_ENDED)
            for frame in decoder.feed(data):
                yield frame

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
