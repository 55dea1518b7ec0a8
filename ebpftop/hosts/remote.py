"""Frames of another machine, over ssh. They aren't trusted: they have the limits of tapes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from ebpftop.base.inert import inert
from ebpftop.frames.codec import encode
from ebpftop.frames.messages import AnyFrame, AnyRequest, Notice
from ebpftop.frames.reading import FrameDecoder
from ebpftop.frames.source import Source, SourceEnded
from ebpftop.frames.stdio import Greeted
from ebpftop.hosts.ssh import BEGINNING, CONNECTING, Ssh

SILENCE = 10.0  # seconds without a frame after which a connection is given up: the load of a machine comes every second
_STARTING = CONNECTING + BEGINNING  # seconds until the first one
_UNSENT = 1 << 20  # bytes of requests that may wait
_SHOWN = 60  # bytes of noise


class RemoteSource(Source):
    """connect: starts a connection; raises `OSError`. opened: a connection on which frames have already begun."""

    can_restart = True

    def __init__(self, connect: Callable[[], Ssh], opened: tuple[Ssh, Greeted] | None = None) -> None:
        self._connect = connect
        self._opened = opened
        self._ssh: Ssh | None = None
        self._unsent = bytearray()
        self._sends: asyncio.Event | None = None

    async def restart(self) -> None:
        """`frames` connects."""

    async def frames(self) -> AsyncIterator[AnyFrame]:
        ssh, greeted = self._opened or (self._started(), Greeted())
        self._opened, self._ssh = None, ssh
        self._unsent, self._sends = bytearray(), asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(ssh.errors, self._hear, ssh)
        sending = loop.create_task(self._send(ssh))
        decoder = FrameDecoder(bounded=True)
        try:
            data = greeted.rest
            while data is None:
                greeted.feed(await self._received(ssh, _STARTING))
                data = greeted.rest
            if noise := greeted.noise.strip():
                text = inert(noise[:_SHOWN].decode(errors="backslashreplace"))
                yield Notice(level="warning", text=f"{len(noise)} bytes of other output came before the data: {text}")
            while True:
                for frame in decoder.feed(data):
                    yield frame
                data = await self._received(ssh, SILENCE)
        finally:
            self._ssh = None
            sending.cancel()
            self._hear_no_more(ssh)
            ssh.close()
            await asyncio.shield(asyncio.to_thread(ssh.end))

    def _started(self) -> Ssh:
        try:
            return self._connect()
        except OSError as error:
            raise SourceEnded(str(error.strerror)) from None

    async def _received(self, ssh: Ssh, seconds: float) -> bytes:
        """The received bytes, never empty. Raises `SourceEnded`."""
        try:
            async with asyncio.timeout(seconds):
                data = await asyncio.get_running_loop().sock_recv(ssh.socket, 1 << 20)
        except TimeoutError:
            raise SourceEnded(f"nothing received for {seconds:.0f} s") from None
        except OSError:
            data = b""
        if not data:
            self._hear_no_more(ssh)
            raise SourceEnded(await asyncio.to_thread(ssh.why))
        return data

    def _hear(self, ssh: Ssh) -> None:
        ssh.hear()
        if ssh.is_quiet:
            self._hear_no_more(ssh)

    def _hear_no_more(self, ssh: Ssh) -> None:
        if ssh.errors >= 0:
            asyncio.get_running_loop().remove_reader(ssh.errors)

    async def _send(self, ssh: Ssh) -> None:
        assert self._sends is not None
        with contextlib.suppress(OSError):
            while True:
                await self._sends.wait()
                self._sends.clear()
                data, self._unsent = bytes(self._unsent), bytearray()
                await asyncio.get_running_loop().sock_sendall(ssh.socket, data)

    async def request(self, request: AnyRequest) -> None:
        """Never blocks. Raises `SourceEnded`, even if the other side takes nothing."""
        if self._ssh is None or self._sends is None or len(self._unsent) > _UNSENT:
            raise SourceEnded("the connection was closed")
        self._unsent += encode(request)
        self._sends.set()

    async def close(self) -> None:
        ssh = self._ssh or (self._opened[0] if self._opened else None)
        if ssh is not None:
            ssh.hang_up()
            if self._ssh is None:
                await asyncio.to_thread(ssh.end)
