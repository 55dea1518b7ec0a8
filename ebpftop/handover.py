"""What the processes that run as root tell the collector, and how descriptors travel between processes.

One message is one datagram on a `SOCK_SEQPACKET` pair: the message itself, or, when it is large, a memfd that holds it.
Its descriptors follow in datagrams of at most 250, since the kernel takes 253 a message. A receiver that is cut short
(`MSG_CTRUNC`, a vanished sender) raises `HandoverError` and closes what had come.
"""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Sequence

import msgspec

from ebpftop.frames.layout import MapLayout
from ebpftop.frames.messages import Catalog, Loaded, Rejected, Stage

_CHUNK = 250
_INLINE = 32 << 10
_LARGEST = 256 << 20
_FD_SIZE = array.array("i").itemsize


class HandoverError(Exception):
    """The other side vanished, or what it sent is not whole; the text says which."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """Base of what travels beside descriptors."""


# ---------------------------------------------------------------- a root task to the collector


class Progress(Message, frozen=True, kw_only=True):
    """The stage a load is in, and the milliseconds of those done."""

    stage: Stage
    stages: list[tuple[str, float]] = []


class Handover(Message, frozen=True, kw_only=True):
    """A probe is attached. Descriptors, in this order: one a map, one a program, then one an attachment.

    The loader does not know as what run; the collector puts `run` and `params` into the frame it passes on.
    attachment_ns: by program, see `ProgramCost`.
    """

    loaded: Loaded
    maps: list[MapLayout]
    programs: list[str]
    attachment_ns: dict[str, int] = {}


class Failure(Message, frozen=True, kw_only=True):
    """A load failed; of the frame the same holds."""

    rejected: Rejected


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a probe of the catalog can run here."""

    probe: str
    available: bool | None
    variant: str | None = None
    meaning: str | None = None
    reason: str | None = None


class Surveyed(Message, frozen=True, kw_only=True):
    """The whole catalog tried against this kernel."""

    verdicts: list[Verdict]


class StatisticsOn(Message, frozen=True, kw_only=True):
    """The kernel counts program run times until the one descriptor that comes along is closed."""


class SymbolRange(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """`start` <= address < `end` is this function, or, without a name, this place in the module; offsets count from
    `base`.
    """

    start: int
    end: int
    base: int
    name: str
    module: str


class Symbols(Message, frozen=True, kw_only=True):
    """What was asked by `AskSymbols`, processes by their `id`. An address in none of the ranges can't be told."""

    kernel: list[SymbolRange]
    processes: list[tuple[int, list[SymbolRange]]]


class TaskFailed(Message, frozen=True, kw_only=True):
    """A root task could not do its work; one line."""

    error: str


# ---------------------------------------------------------------- between the supervisor and its children


class Ask(Message, frozen=True, kw_only=True):
    """Collector to supervisor: load this probe as that run."""

    run: int
    probe: str
    params: dict[str, str]


class AskStatistics(Message, frozen=True, kw_only=True):
    """Collector to supervisor: have the kernel count program run times."""

    run: int


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses in one process. `id` is the asker's name for it; `start_ns` its start, in ns since boot."""

    id: int
    tgid: int
    start_ns: int
    addresses: list[int]


class AskSymbols(Message, frozen=True, kw_only=True):
    """Collector to supervisor: which functions do these addresses lie in?"""

    run: int
    kernel: list[int]
    processes: list[Addresses]


class Channel(Message, frozen=True, kw_only=True):
    """Supervisor to collector: the one descriptor is where that task reports."""

    run: int


class Refusal(Message, frozen=True, kw_only=True):
    """Supervisor to collector: the wish could not be granted as said."""

    run: int
    error: str


class Reread(Message, frozen=True, kw_only=True):
    """Supervisor to collector: this is the catalog from now on. What of it runs here is told by a `Surveyed`."""

    catalog: Catalog


class TaskEnded(Message, frozen=True, kw_only=True):
    """Supervisor to collector: the task's process is gone; `rejected` is what became of a load that did not say."""

    run: int
    rejected: Rejected


class Stream(Message, frozen=True, kw_only=True):
    """Supervisor to dashboard: the one descriptor is a fresh stream of frames."""


class Restart(Message, frozen=True, kw_only=True):
    """Dashboard to supervisor: start the collector again."""


AnyMessage = (
    Progress
    | Handover
    | Failure
    | Surveyed
    | StatisticsOn
    | Symbols
    | TaskFailed
    | Ask
    | AskStatistics
    | AskSymbols
    | Channel
    | Refusal
    | Reread
    | TaskEnded
    | Stream
    | Restart
)


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

        Raises `BlockingIOError` when nothing whole is there yet, `HandoverError` when what came is not whole.
        """
        while self._header is None or len(self._descriptors) < self._header.descriptors:
            if self._header is None:
                data = self.socket.recv(_INLINE * 2)
                if not data:
                    return None
                try:
                    self._header = _decode_header(data)
                except msgspec.DecodeError as error:
                    raise HandoverError(f"a message's header does not decode: {error}") from None
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
            raise HandoverError(f"a message does not decode: {error}") from None

    def _receive_descriptors(self) -> None:
        try:
            data, ancillary, flags, _ = self.socket.recvmsg(
                1, socket.CMSG_SPACE(_CHUNK * _FD_SIZE), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            raise
        except OSError as error:
            self.close()
            raise HandoverError(f"descriptors did not arrive: {error.strerror}") from None
        for level, kind, raw in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received = array.array("i")
                received.frombytes(raw[: len(raw) - len(raw) % _FD_SIZE])
                self._descriptors.extend(received)
        if not data:
            self.close()
            raise HandoverError("the sender vanished in the middle of its descriptors")
        if flags & socket.MSG_CTRUNC:
            self.close()
            raise HandoverError("descriptors were cut off: the limit of open files is too low")

    def close(self) -> None:
        """Close the descriptors of a message that never became whole, and the socket."""
        close_all(self._descriptors)
        self._descriptors = []
        self._header = None
        self.socket.close()


def close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
