"""Sends messages and descriptors between processes.

One message is one datagram on a `SOCK_SEQPACKET` pair: the message itself, or a memfd that contains it if it is large.
Its descriptors follow in datagrams of at most 250, because the kernel accepts 253 a message. If a message is cut short
(`MSG_CTRUNC`, a vanished sender), the receiver raises `TransportError` and closes the descriptors that had arrived. A
receiver states how much it accepts. Reading a memfd never blocks, and a receiver reads nothing else: the file must be
sealed, which no other kind of file can be.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec

from ebpftop.frames.codec import MALFORMED
from ebpftop.handover.protocol import AnyMessage, Message

_CHUNK = 250
_INLINE = 32 << 10
_LARGEST = 256 << 20
_MOST = 1 << 16  # descriptors of one message
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE
_FD_SIZE = array.array("i").itemsize


class TransportError(Exception):
    """The other side vanished, or its message is incomplete; the text says which."""


class _Header(msgspec.Struct, array_like=True):
    descriptors: int
    body: bytes | None  # None: the first descriptor is a memfd with the body


_encode = msgspec.msgpack.encode


@cache
def _decoder(kind: Any) -> Callable[[bytes], Any]:
    """A decoder, created when it is first needed: creating the one for messages takes milliseconds."""
    return msgspec.msgpack.Decoder(kind).decode


def decode(body: bytes) -> AnyMessage:
    """Raises the exceptions in `MALFORMED`."""
    message: AnyMessage = _decoder(AnyMessage)(body)
    return message


def one_way() -> tuple[socket.socket, socket.socket]:
    """A connected pair of which the first end, root's, can only send. Nothing can wait in its queue, so nothing that
    the other end does holds up whoever closes it.
    """
    ours, theirs = pair()
    ours.shutdown(socket.SHUT_RD)
    return ours, theirs


def pair() -> tuple[socket.socket, socket.socket]:
    """A connected pair for `send` and `Receiver`."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(to: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send a message and duplicates of the descriptors. Raises `OSError` when the other side is gone."""
    memfd, packets = _packets(message, descriptors)
    try:
        for data, fds in packets:
            socket.send_fds(to, [data], fds)
    finally:
        if memfd >= 0:
            os.close(memfd)


def _packets(message: Message, descriptors: Sequence[int]) -> tuple[int, list[tuple[bytes, list[int]]]]:
    """A memfd, which the caller closes, or -1; and the datagrams."""
    body: bytes | None = _encode(message)
    outgoing = list(descriptors)
    memfd = -1
    if body is not None and len(body) > _INLINE:
        memfd = _sealed(body)
        outgoing.insert(0, memfd)
        body = None
    chunks = [outgoing[start : start + _CHUNK] for start in range(0, len(outgoing), _CHUNK)]
    return memfd, [(_encode(_Header(len(outgoing), body)), []), *((b".", chunk) for chunk in chunks)]


def _sealed(body: bytes) -> int:
    memfd = os.memfd_create("ebpftop-message", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(memfd, "wb", closefd=False) as file:
        file.write(body)
    fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, _SEALS)
    return memfd


class Sender:
    """The sending end of a non-blocking socket. Datagrams that the socket doesn't accept yet wait here, in order."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.setblocking(False)
        self._waiting: deque[tuple[bytes, list[int]]] = deque()

    def __len__(self) -> int:
        """The number of waiting datagrams; there are at most a few for each message."""
        return len(self._waiting)

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message and duplicates of the descriptors, now or in `flush`. Raises `OSError` as `flush` does."""
        memfd, packets = _packets(message, descriptors)
        self._waiting.extend((data, [_duplicate(fd) for fd in fds]) for data, fds in packets)
        if memfd >= 0:
            os.close(memfd)
        self.flush()

    def flush(self) -> None:
        """Send as much as the socket accepts. Raises `OSError` when the other side is gone."""
        while self._waiting:
            data, fds = self._waiting[0]
            try:
                socket.send_fds(self.socket, [data], fds)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ETOOMANYREFS:  # as many descriptors as may be open are in transit
                    return
                raise
            self._waiting.popleft()
            close_all(fds)

    def close(self) -> None:
        """Discard the waiting datagrams. The socket stays open."""
        for _, fds in self._waiting:
            close_all(fds)
        self._waiting.clear()


def _duplicate(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 0)


class Receiver:
    """The receiving end of one socket; works on blocking and on non-blocking sockets.

    most, largest: the maximum numbers of descriptors and of bytes in a message.
    """

    def __init__(self, sock: socket.socket, *, most: int = _MOST, largest: int = _LARGEST) -> None:
        self.socket = sock
        self._most, self._largest = most, largest
        self._header: _Header | None = None
        self._descriptors: list[int] = []

    def receive(self) -> tuple[AnyMessage, list[int]] | None:
        """The next whole message with its descriptors (close-on-exec, the caller's to close), or None when the sender
        closed.

        Raises `BlockingIOError` when no whole message is there yet, `TransportError` when a message is incomplete.
        """
        while self._header is None or len(self._descriptors) < self._header.descriptors:
            if self._header is None:
                data = self.socket.recv(_INLINE * 2)
                if not data:
                    return None
                try:
                    self._header = _decoder(_Header)(data)
                except MALFORMED as error:
                    raise TransportError(f"a message's header does not decode: {error}") from None
                if not 0 <= self._header.descriptors <= self._most:
                    raise TransportError(f"a message claims {self._header.descriptors} descriptors of {self._most}")
            else:
                self._receive_descriptors()
        header, descriptors = self._header, self._descriptors
        self._header, self._descriptors = None, []
        body = header.body
        try:
            if body is None:
                memfd = descriptors.pop(0)
                try:
                    body = self._read(memfd)
                finally:
                    os.close(memfd)
            return decode(body), descriptors
        except (*MALFORMED, IndexError, OSError) as error:
            close_all(descriptors)
            raise TransportError(f"a message does not decode: {error}") from None

    def _read(self, memfd: int) -> bytes:
        """The contents of a memfd that can no longer change. Raises `OSError`."""
        if fcntl.fcntl(memfd, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
            raise OSError(errno.EPERM, "the message's file is not sealed")
        size = os.fstat(memfd).st_size
        if size > self._largest:
            raise OSError(errno.EMSGSIZE, f"the message has {size:,} bytes")
        return os.pread(memfd, size, 0)

    def _receive_descriptors(self) -> None:
        try:
            data, ancillary, flags, _ = self.socket.recvmsg(
                1, socket.CMSG_SPACE(_CHUNK * _FD_SIZE), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            raise
        except OSError as error:
            self.close()
            raise TransportError(f"descriptors did not arrive: {error.strerror}") from None
        before = len(self._descriptors)
        for level, kind, raw in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received = array.array("i")
                received.frombytes(raw[: len(raw) - len(raw) % _FD_SIZE])
                self._descriptors.extend(received)
        if not data:
            self.close()
            raise TransportError("the sender vanished in the middle of its descriptors")
        if flags & socket.MSG_CTRUNC:
            self.close()
            raise TransportError("descriptors were cut off: the limit of open files is too low")
        if len(self._descriptors) == before:
            self.close()
            raise TransportError("a datagram that should bring descriptors brought none")

    def close(self) -> None:
        """Close the socket, and the descriptors of an incomplete message."""
        close_all(self._descriptors)
        self._descriptors = []
        self._header = None
        self.socket.close()


def close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
