"""Messages to root from processes that may have been taken over. A mailbox carries no descriptors, and whoever holds
its other end can't hold root up.

A Unix socket doesn't ensure that: descriptors wait in its queue, and whoever reads or discards them closes them, which
may take for ever (a file on a FUSE file system that doesn't answer, a TCP socket that lingers). Nor does a pipe: a
writer keeps its lock while the kernel reads the writer's memory, which may be such a file. Not even SIGKILL ends a
reader that waits for either. A file in memory and an event are read without waiting for anybody.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import socket
import struct
from collections import deque
from typing import NamedTuple

import msgspec

from ebpftop.frames.codec import MALFORMED
from ebpftop.handover import transport
from ebpftop.handover.protocol import AnyMessage, Message

_LENGTH = struct.Struct("=Q")  # at the beginning of the file; the message follows
# The event's highest value, see eventfd(2): it is readable while there is a message, and writable while there is none.
_FULL = (1 << 64) - 2


class Mailbox:
    """Room for one message of at most `size` bytes. Root makes it before it forks, and reads; the child writes. In the
    child, messages for which there is no room yet wait here, in order.
    """

    def __init__(self, size: int) -> None:
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        self._size = size if limit == resource.RLIM_INFINITY else min(size, limit - _LENGTH.size)
        self._file = os.memfd_create("mailbox", os.MFD_CLOEXEC)
        os.ftruncate(self._file, _LENGTH.size + self._size)
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._waiting: deque[bytes] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether no message waits."""
        return not self._waiting

    def fileno(self) -> int:
        """Readable while there is a message, writable while there is room for one."""
        return self._event

    @property
    def descriptors(self) -> tuple[int, int]:
        """What a child keeps."""
        return self._file, self._event

    def send(self, message: Message) -> None:
        """Write a message, now or in `flush`. Raises `OSError` if it is too large."""
        body = msgspec.msgpack.encode(message)
        if len(body) > self._size:
            raise OSError(errno.EMSGSIZE, f"the message has {len(body):,} bytes")
        self._waiting.append(body)
        self.flush()

    def post(self, message: Message) -> None:
        """Write a message, and wait until there is room for it. Raises `OSError` as `send` does."""
        self.send(message)
        while self._waiting:
            self._has_room(None)
            self.flush()

    def flush(self) -> None:
        """Write what there is room for."""
        while self._waiting and self._has_room(0):
            body = self._waiting.popleft()
            data = _LENGTH.pack(len(body)) + body
            if os.pwrite(self._file, data, 0) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.eventfd_write(self._event, _FULL)

    def _has_room(self, timeout: int | None) -> bool:
        room = select.poll()
        room.register(self, select.POLLOUT)
        return bool(room.poll(timeout))

    def take(self) -> AnyMessage | None:
        """Root's: the next message, None if there is none yet. Raises `TransportError` if it isn't one."""
        head = os.pread(self._file, _LENGTH.size, 0)
        size = int.from_bytes(head, "little")
        body = os.pread(self._file, size, _LENGTH.size) if size <= self._size else b""
        try:  # not read(): whoever shares the event can make it block
            os.preadv(self._event, [bytearray(_LENGTH.size)], -1, os.RWF_NOWAIT)
        except BlockingIOError:
            return None
        if size > self._size:
            raise transport.TransportError(f"a message claims {size:,} bytes of {self._size:,}")
        try:
            return transport.decode(body)
        except MALFORMED as error:
            raise transport.TransportError(f"a message does not decode: {error}") from None

    def close(self) -> None:
        """Close this process's descriptors."""
        if self._event >= 0:
            transport.close_all(self.descriptors)
            self._file = self._event = -1


class Control(NamedTuple):
    """One end of the connection between root and a child. socket: from root, with descriptors. mailbox: to root."""

    socket: socket.socket
    mailbox: Mailbox


def pair(size: int) -> tuple[Control, Control]:
    """Root's end and a child's, whose messages have at most `size` bytes."""
    ours, theirs = transport.one_way()
    mailbox = Mailbox(size)
    return Control(ours, mailbox), Control(theirs, mailbox)
