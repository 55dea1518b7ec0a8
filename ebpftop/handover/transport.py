"""Messages and descriptors between processes.

One message is one datagram on a `SOCK_SEQPACKET` pair: the message itself, or, when it is large, a memfd that holds it.
Its descriptors follow in datagrams of at most 250, since the kernel takes 253 a message. A receiver that is cut short
(`MSG_CTRUNC`, a vanished sender) raises `TransportError` and closes what had come.
"""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Sequence

import msgspec

from ebpftop.handover.protocol import AnyMessage, Message

_CHUNK = 250
_INLINE = 32 << 10
_LARGEST = 256 << 20
_FD_SIZE = array.array("i").itemsize


class TransportError(Exception):
    """The other side vanished, or its message is incomplete; the text says which."""


class _Header(msgspec.Struct, array_like=True):
    descriptors: int
    body: bytes | None  # None: the first descriptor is a memfd with the body


_encode = msgspec.msgpack.encode
_decode_header = msgspec.msgpack.Decoder(_Header).decode
_decode_message = msgspec.msgpack.Decoder(AnyMessage).decode


def pair() -> tuple[socket.socket, socket.socket]:
    """A connected pair for `send` and `Receiver`."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(to: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send a message and duplicates of the descriptors. Raises `OSError` when the other side is gone."""
    body: bytes | None = _encode(message)
    outgoing = list(descriptors)
    memfd = -1
    try:
        if body is not None and len(body) > _INLINE:
            memfd = os.memfd_create("ebpftop-message", os.MFD_CLOEXEC)
            with open(memfd, "wb", closefd=False) as file:
                file.write(body)
            outgoing.insert(0, memfd)
            body = None
        to.sendall(_encode(_Header(len(outgoing), body)))
        for start in range(0, len(outgoing), _CHUNK):
            socket.send_fds(to, [b"."], outgoing[start : start + _CHUNK])
    finally:
        if memfd >= 0:
            os.close(memfd)


class Receiver:
    """The receiving end of one socket; works on blocking and on non-blocking sockets."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
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
                    self._header = _decode_header(data)
                except msgspec.DecodeError as error:
                    raise TransportError(f"a message's header does not decode: {error}") from None
            else:
                self._receive_descriptors()
        header, descriptors = self._header, self._descriptors
        self._header, self._descriptors = None, []
        body = header.body
        try:
            if body is None:
                memfd = descriptors.pop(0)
                try:
                    body = os.pread(memfd, min(os.fstat(memfd).st_size, _LARGEST), 0)
                finally:
                    os.close(memfd)
            return _decode_message(body), descriptors
        except (msgspec.DecodeError, IndexError) as error:
            close_all(descriptors)
            raise TransportError(f"a message does not decode: {error}") from None

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

    def close(self) -> None:
        """Close the descriptors of a message that never became whole, and the socket."""
        close_all(self._descriptors)
        self._descriptors = []
        self._header = None
        self.socket.close()


def close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
