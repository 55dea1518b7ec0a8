"""An HTTP server for scrapers: GET /metrics and nothing else. A hostile client can occupy a connection for some
seconds.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

CONNECTIONS = 16  # simultaneous; one more closes the oldest that has not sent a request
PATIENCE = 10.0  # seconds for receiving a request, and for sending a response
_HEAD = 8192  # bytes of a request
_AUTHORITY = re.compile(r"^https?://[^/?]*", re.IGNORECASE)  # which a server must accept: RFC 9112, section 3.2.2
_PAGE = b"ebpftop: metrics are at /metrics\n"


class Server:
    """text: creates (content, its type) for the formats that a scraper accepts."""

    def __init__(self, text: Callable[[str], tuple[bytes, str]]) -> None:
        self._text = text
        self._asking: dict[asyncio.StreamWriter, None] = {}  # connections without a complete request, the oldest first
        self._answering = 0
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Listen; returns the port, which the kernel chooses if it is 0. Raises `OSError`."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_HEAD)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._asking[writer] = None
        if len(self._asking) + self._answering > CONNECTIONS:
            oldest = next(iter(self._asking))
            del self._asking[oldest]
            oldest.transport.abort()
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
            if writer in self._asking:
                del self._asking[writer]
                await self._take(writer, self._answer(head.decode("latin-1")))
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client has gone, or has had enough time
        finally:
            self._asking.pop(writer, None)
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _take(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        self._answering += 1
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(answer)
                await writer.drain()
        finally:
            self._answering -= 1

    def _answer(self, head: str) -> bytes:
        lines = head.split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _response("400 Bad Request", b"", "text/plain", bare=False)
        method, target, _ = words
        bare = method == "HEAD"
        if method not in ("GET", "HEAD"):
            return _response("405 Method Not Allowed", b"", "text/plain", bare)
        path = _AUTHORITY.sub("", target).partition("?")[0]
        if path in ("", "/"):
            return _response("200 OK", _PAGE, "text/plain", bare)
        if path != "/metrics":
            return _response("404 Not Found", _PAGE, "text/plain", bare)
        accepted = [line.partition(":")[2].strip() for line in lines[1:] if line.lower().startswith("accept:")]
        content, kind = self._text(",".join(accepted))
        return _response("200 OK", content, kind, bare)


def _response(status: str, content: bytes, kind: str, bare: bool) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (b"" if bare else content)
