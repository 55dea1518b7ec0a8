"""A file system with one file that is read and written at a limited rate. It implements the kernel's protocol on
/dev/fuse itself (linux/fuse.h, version 7.31).

`python -m tests.support.slow_fuse PLACE SIZE RATE` mounts it at PLACE and serves it until it is unmounted.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

NAME = "disk"
ROOT, FILE = 1, 2  # node ids
MAX_WRITE = 1 << 17

_HEAD = struct.Struct("=IIQQIIIHH")  # fuse_in_header
_REPLY = struct.Struct("=IiQ")  # fuse_out_header
_IO = struct.Struct("=QQIIQII")  # fuse_read_in and fuse_write_in
_ATTR = struct.Struct("=6Q10I")  # fuse_attr
_NEVER = 1 << 30  # seconds for which answers stay valid

_LOOKUP, _FORGET, _GETATTR, _SETATTR, _OPEN, _READ, _WRITE = 1, 2, 3, 4, 14, 15, 16
_RELEASE, _FSYNC, _FLUSH, _INIT, _INTERRUPT, _BATCH_FORGET = 18, 20, 25, 26, 36, 42
_BIG_WRITES = 1 << 5  # more than a page at once
_UNANSWERED = (_FORGET, _INTERRUPT, _BATCH_FORGET)


class SlowFile:
    """The file, and answers to the kernel's requests about it."""

    def __init__(self, size: int, rate: int) -> None:
        self._data = bytearray(size)
        self._rate = rate
        self._free = 0.0  # when all earlier reads and writes are done
        self._answers: dict[int, Callable[[int, memoryview], bytes]] = {
            _INIT: lambda _node, _body: struct.pack(
                "=4I2H2I2H8I", 7, 31, 0, _BIG_WRITES, 16, 12, MAX_WRITE, 1, 0, 0, *[0] * 8
            ),
            _LOOKUP: self._look_up,
            _GETATTR: lambda node, _body: struct.pack("=QII", _NEVER, 0, 0) + self._attributes(node),
            _SETATTR: lambda node, _body: struct.pack("=QII", _NEVER, 0, 0) + self._attributes(node),
            _OPEN: lambda _node, _body: struct.pack("=QII", 0, 1, 0),  # FOPEN_DIRECT_IO: the page cache is bypassed
            _READ: self._read,
            _WRITE: self._write,
            **dict.fromkeys((_RELEASE, _FSYNC, _FLUSH), lambda _node, _body: b""),
        }

    def serve(self, device: int) -> None:
        """Serve the file until it is unmounted."""
        while True:
            try:
                message = memoryview(os.read(device, MAX_WRITE + 4096))
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                if error.errno in (errno.EINTR, errno.ENOENT):  # the request was cancelled
                    continue
                raise
            _, kind, unique, node, *_ = _HEAD.unpack_from(message)
            if kind in _UNANSWERED:
                continue
            answer = self._answers.get(kind)
            try:
                body, error_number = (
                    answer(node, message[_HEAD.size :]) if answer else b"",
                    0 if answer else errno.ENOSYS,
                )
            except FileNotFoundError:
                body, error_number = b"", errno.ENOENT
            os.write(device, _REPLY.pack(_REPLY.size + len(body), -error_number, unique) + body)

    def _attributes(self, node: int) -> bytes:
        size = len(self._data) if node == FILE else 0
        mode = stat.S_IFREG | 0o600 if node == FILE else stat.S_IFDIR | 0o700
        return _ATTR.pack(node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _look_up(self, _node: int, body: memoryview) -> bytes:
        if bytes(body).rstrip(b"\0") != NAME.encode():
            raise FileNotFoundError
        return struct.pack("=4Q2I", FILE, 0, _NEVER, _NEVER, 0, 0) + self._attributes(FILE)

    def _read(self, _node: int, body: memoryview) -> bytes:
        _, offset, size, *_ = _IO.unpack_from(body)
        self._wait(size)
        return bytes(self._data[offset : offset + size])

    def _write(self, _node: int, body: memoryview) -> bytes:
        _, offset, size, *_ = _IO.unpack_from(body)
        self._wait(size)
        self._data[offset : offset + size] = body[_IO.size : _IO.size + size]
        return struct.pack("=II", size, 0)

    def _wait(self, size: int) -> None:
        """Wait until the rate allows for these bytes."""
        now = time.monotonic()
        self._free = max(now, self._free) + size / self._rate
        time.sleep(self._free - now)


def mount(place: Path) -> int:
    """Mount it; returns the descriptor to serve."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode={stat.S_IFDIR:o},user_id=0,group_id=0"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"slow", os.fsencode(place), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), "can't mount a FUSE file system")
    return device


@contextlib.contextmanager
def slow_file(folder: Path, size: int, rate: int) -> Iterator[Path]:
    """A file of `size` bytes that is read and written at `rate` bytes a second in total."""
    place = folder / "slow"
    place.mkdir()
    arguments = [sys.executable, "-B", "-m", "tests.support.slow_fuse", str(place), str(size), str(rate)]
    server = subprocess.Popen(arguments, cwd=Path(__file__).resolve().parents[2], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        assert server.stdout.read(1) == b"m", "it is not mounted"
        yield place / NAME
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def main(place: str, size: str, rate: str) -> None:
    device = mount(Path(place))
    os.setpriority(os.PRIO_PROCESS, 0, -10)  # its clients wait for the rate, not for a CPU
    os.write(1, b"m")
    SlowFile(int(size), int(rate)).serve(device)


if __name__ == "__main__":
    main(*sys.argv[1:])
