"""Caches the parsed contents of a folder of probes in a file, for as long as no file in the folder changes.

Checking a hundred manifests takes ten times as long as decoding the cached result. The cache decides what is compiled,
so it is used only if its file and folder belong to this user and nobody else can write to them. If anything is wrong
with it, the folder is read as if there were no cache.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ebpftop import __version__
from ebpftop.frames.codec import MALFORMED

LARGEST = 16 << 20  # bytes
RACY = 2.0  # seconds: a file that changed this recently may change again under the same time stamp
_CODE = Path(__file__).resolve().parents[1]
_READERS = (_CODE / "catalog", _CODE / "frames" / "messages")  # the parsed contents also depend on these
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_T = TypeVar("_T")
_Stamp = tuple[str, int, int, int, int, int]  # path, device, inode, size, modified, changed


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """identity: of all files, see `_identity`. data: the encoded value; crc32: its checksum."""

    identity: bytes
    crc32: int
    data: bytes


def kept(cache: Path | None, root: Path, kind: type[_T], read: Callable[[], _T]) -> _T:
    """`read()`, or its cached result if the files below `root` haven't changed since. cache: the folder of the cache
    file, created if necessary; None: no cache. Raises what `read` raises.
    """
    if cache is None:
        return read()
    began = time.time_ns()
    identity, newest = _identity(root)  # before reading, so that a change during reading is noticed
    name = f"catalog-{zlib.crc32(os.fsencode(root)):08x}"
    with contextlib.suppress(OSError, *MALFORMED), _opened(cache) as folder:
        found = msgspec.msgpack.decode(_bytes(folder, name), type=_Kept)
        if found.identity == identity and found.crc32 == zlib.crc32(found.data):
            return msgspec.msgpack.decode(found.data, type=kind, dec_hook=lambda _, text: Path(text))
    value = read()
    if newest < began - RACY * 1e9:
        with contextlib.suppress(OSError):
            _write(cache, name, identity, value)
    return value


def _identity(root: Path) -> tuple[bytes, int]:
    """The path, inode, size and times of every file that the result depends on, and this version; and the latest time
    of change in nanoseconds.
    """
    files = sorted(entry for place in (root, *_READERS) for entry in _files(str(place)))
    return msgspec.msgpack.encode((__version__, files)), max((changed for *_, changed in files), default=0)


def _files(place: str, depth: int = 3) -> Iterator[_Stamp]:
    """The stamp of a file, or of all files below a folder except hidden ones. A link counts as its target."""
    try:
        status = os.stat(place)
        if depth and stat.S_ISDIR(status.st_mode):
            for name in os.listdir(place):
                if name[0] not in "._":
                    yield from _files(f"{place}/{name}", depth - 1)
        else:
            yield place, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    except OSError as error:
        yield place, 0, 0, error.errno or 0, 0, 0


@contextlib.contextmanager
def _opened(cache: Path) -> Iterator[int]:
    """A descriptor of the folder. Raises `OSError`, even if the only problem is that others can write to it."""
    folder = os.open(cache, _READ | os.O_DIRECTORY)
    try:
        _trust(folder)
        yield folder
    finally:
        os.close(folder)


def _trust(descriptor: int) -> os.stat_result:
    """The file's status. Raises `PermissionError` unless it belongs to this user and nobody else can write to it."""
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError("others can write to it")
    return status


def _bytes(folder: int, name: str) -> bytes:
    with open(os.open(name, _READ, dir_fd=folder), "rb") as file:
        status = _trust(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            raise OSError("not a file of ours")
        return file.read(LARGEST)


def _write(cache: Path, name: str, identity: bytes, value: Any) -> None:
    data = msgspec.msgpack.encode(value, enc_hook=str)
    text = msgspec.msgpack.encode(_Kept(identity, zlib.crc32(data), data))
    os.makedirs(cache, 0o700, exist_ok=True)
    with _opened(cache) as folder:
        new = f"{name}.{os.getpid()}"
        try:
            with open(os.open(new, _NEW, 0o600, dir_fd=folder), "wb") as file:
                file.write(text)
            os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(new, dir_fd=folder)
            raise
