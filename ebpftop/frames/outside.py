"""Marks from other processes: dashboards and recordings listen, each on its own socket, and `ebpftop mark` sends to
all.

The sockets are in a folder that only their user can enter. A connection carries one packet, a UTF-8 text of at most
`LONGEST` bytes, and is answered with `TAKEN`, or with one line that says what is wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ebpftop.base.answering import path_answers
from ebpftop.frames.marks import LONGEST

PREFIX = "ebpftop.mark."
TAKEN = b"ok"
OPEN = 16  # connections at once; a new one ends the oldest
RATE = 50  # connections a second; the others wait
PATIENCE = 3.0  # seconds that sending takes at most
_CREDENTIALS = struct.Struct("3i")


# ---------------------------------------------------------------- the folder


def folders() -> list[Path]:
    """The possible folders of this user's sockets: they belong to the user, and nobody else can enter them."""
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    places = [Path(named)] if os.path.isabs(named) else []
    places.append(Path(f"/run/user/{os.geteuid()}"))
    return [place for place in dict.fromkeys(places) if path_answers(place) and _is_private(place)]


def _is_private(place: Path) -> bool:
    with _opened(place) as folder:
        return folder >= 0


@contextlib.contextmanager
def _opened(place: Path) -> Iterator[int]:
    """A descriptor of the folder; -1 if it isn't a folder, or others have access."""
    try:
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield -1
        return
    try:
        status = os.fstat(folder)
        alone = status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o700
        yield folder if alone else -1
    finally:
        os.close(folder)


def _address(folder: int, name: str) -> str:
    """The path of a socket in an open folder, however long the folder's own is."""
    return f"/proc/self/fd/{folder}/{name}"


def _user_of(peer: socket.socket) -> int:
    return int(_CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[1])


# ---------------------------------------------------------------- listening


class Mailbox:
    """Calls `taken` with each text that the same user, or root, sends, from `open` to `close`, in this event loop.

    A client can't block it: it waits for nobody, and accepts no more than `OPEN` and `RATE` allow.
    """

    def __init__(self, taken: Callable[[str], None]) -> None:
        self._taken = taken
        self._socket: socket.socket | None = None
        self._path: Path | None = None
        self._peers: list[socket.socket] = []  # oldest first
        self._second, self._count = 0.0, 0  # when this second began, and the connections in it
        self._resuming: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Listen, if there is a folder for that."""
        for place in folders():
            with _opened(place) as folder, contextlib.suppress(OSError):
                self._bind(place, folder)
                return

    def _bind(self, place: Path, folder: int) -> None:
        name = f"{PREFIX}{os.getpid()}.{os.urandom(4).hex()}"
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            os.fchmod(listening.fileno(), 0o600)  # what the file in the folder will have
            listening.bind(_address(folder, name))
            listening.listen(OPEN)
        except OSError:
            listening.close()
            raise
        self._socket, self._path = listening, place / name
        self._listen()

    def _listen(self) -> None:
        assert self._socket is not None
        self._resuming = None
        asyncio.get_running_loop().add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Stop listening. Closing twice does nothing."""
        if self._socket is None:
            return
        if self._resuming is not None:
            self._resuming.cancel()
        for each in (*self._peers, self._socket):
            asyncio.get_running_loop().remove_reader(each)
            each.close()
        self._peers.clear()
        self._socket = None
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def __enter__(self) -> Mailbox:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._second >= 1:
            self._second, self._count = now, 0
        self._count += 1
        try:
            if self._count > RATE:
                raise BlockingIOError
            peer, _ = self._socket.accept()
        except OSError:  # too many, or no descriptor is left
            loop.remove_reader(self._socket)
            self._resuming = loop.call_later(max(0.0, self._second + 1 - now), self._listen)
            return
        peer.setblocking(False)
        if _user_of(peer) not in (os.geteuid(), 0):
            peer.close()
            return
        if len(self._peers) >= OPEN:
            self._end(self._peers[0])
        self._peers.append(peer)
        loop.add_reader(peer, self._read, peer)

    def _read(self, peer: socket.socket) -> None:
        try:
            packet = peer.recv(LONGEST + 1)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        text = packet.decode(errors="replace").strip()
        wrong = "it is empty" if not text else f"it has more than {LONGEST:,} bytes" if len(packet) > LONGEST else ""
        if not wrong:
            self._taken(text)
        with contextlib.suppress(OSError):  # whoever doesn't wait for the answer goes without it
            peer.send(wrong.encode() or TAKEN)
        self._end(peer)

    def _end(self, peer: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(peer)
        self._peers.remove(peer)
        peer.close()


# ---------------------------------------------------------------- sending


def send(text: str) -> int:
    """Send a text to all listeners of this user; returns how many took it. Sockets without a listener are removed."""
    until = time.monotonic() + PATIENCE
    taken = 0
    for place in folders():
        with _opened(place) as folder:
            for name in sorted(os.listdir(folder)) if folder >= 0 else []:
                if name.startswith(PREFIX) and _is_socket(folder, name):
                    taken += _send(folder, name, text.encode(errors="replace"), until)
    return taken


def _is_socket(folder: int, name: str) -> bool:
    """Whether it is a socket of the user, and not a link to one."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISSOCK(status.st_mode) and status.st_uid == os.geteuid()


def _send(folder: int, name: str, packet: bytes, until: float) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        try:
            _connect(peer, _address(folder, name), until)
            if _user_of(peer) != os.geteuid():
                return False
            peer.settimeout(max(0.01, until - time.monotonic()))
            peer.send(packet)
            return peer.recv(len(TAKEN)) == TAKEN
        except ConnectionRefusedError:  # its owner was killed
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)
            return False
        except OSError:
            return False


def _connect(peer: socket.socket, address: str, until: float) -> None:
    """Connect, even if others are waiting to be accepted. Raises `OSError`."""
    peer.setblocking(False)
    while True:
        try:
            peer.connect(address)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise TimeoutError from None
            time.sleep(0.02)
        else:
            return
