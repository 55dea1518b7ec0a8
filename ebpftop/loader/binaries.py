"""Programs and libraries as users name them: by path, by name, or as files of a process."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin")
_CACHE = Path("/etc/ld.so.cache")
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_HEADER = struct.Struct("<20sII20x")
_CACHE_ENTRY = struct.Struct("<iIIIQ")
_CACHE_KIND = {"x86_64": 0x0303, "aarch64": 0x0A03}  # 64-bit libraries of this architecture, for glibc
_LARGEST_CACHE = 16 << 20
_LARGEST_MAPS = 64 << 20  # bytes of /proc/PID/maps
_LONGEST = 4096  # bytes of a path


class NoBinary(Exception):
    """The file doesn't exist or can't be read; the text is one line."""


def open_binary(
    text: str, process: int | None = None, rights: Callable[[], AbstractContextManager[None]] = nullcontext
) -> tuple[str, int]:
    """(path, descriptor) of a file given by its path, by the name of a program (`bash`) or of a library (`libc`,
    `libssl.so.3`).

    Paths are opened with `rights`. With a process, only its program and the files that it has mapped as executable are
    considered, including deleted and replaced ones. They are opened as root through the kernel's own links, so that no
    path is resolved in a root directory that others control. Raises `NoBinary`.
    """
    if process is not None:
        return _of_process(text, process, rights)
    with rights():
        path = text if "/" in text else _found(text)
        return path, _opened(path, path)


def _opened(path: str, place: str) -> int:
    """A descriptor of the file at `place`; users know it as `path`."""
    try:
        if not stat.S_ISREG(os.stat(place).st_mode):
            raise NoBinary(f"{path}: not a file")  # opening a device may do something
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise NoBinary(f"{path}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # another file may be there by now
        os.close(descriptor)
        raise NoBinary(f"{path}: not a file")
    return descriptor


def _found(text: str) -> str:
    """The path of a program or library of this name."""
    for folder in _FOLDERS:
        if os.path.exists(path := f"{folder}/{text}"):
            return path
    for name, path in cached_libraries():
        if _is(text, name):
            return path
    raise NoBinary(f"there is no program or library {text!a} here: give its path")


def _of_process(text: str, process: int, rights: Callable[[], AbstractContextManager[None]]) -> tuple[str, int]:
    try:
        program = _intact(os.readlink(f"/proc/{process}/exe"))
        if text == program or ("/" not in text and os.path.basename(program).startswith(text)):
            return program, _opened(program, f"/proc/{process}/exe")
        with open(f"/proc/{process}/maps", "rb") as file:
            mapped = _executable(process, file.read(_LARGEST_MAPS))
    except OSError as error:
        raise NoBinary(f"process {process}: {error.strerror}") from None
    if "/" not in text:
        for path, place in mapped:
            if _is(text, os.path.basename(path)):
                return path, _opened(path, place)
        raise NoBinary(f"process {process} uses no {text!a}")
    for path, place in mapped:
        if path == text:
            return path, _opened(path, place)
    with suppress(OSError):
        with rights():
            wanted = os.stat(text)  # a link to one of them, or another of its names
        for path, place in (*mapped, (program, f"/proc/{process}/exe")):
            with suppress(OSError):  # one that was unmapped in the meantime
                if os.path.samestat(wanted, os.stat(place)):
                    return path, _opened(path, place)
    raise NoBinary(f"process {process} has not mapped {text}: give a path as in /proc/{process}/maps")


def _executable(process: int, maps: bytes) -> list[tuple[str, str]]:
    """(path, link to the file) of each file mapped as executable; files that still exist at their path come first."""
    found: list[tuple[bool, str, str]] = []
    for line in maps.splitlines():
        fields = line.split(None, 5)
        if len(fields) > 5 and b"x" in fields[1] and fields[5].startswith(b"/"):
            path = os.fsdecode(fields[5])
            start, end = (int(part, 16) for part in fields[0].split(b"-"))  # the links' names have no leading zeros
            found.append((path != _intact(path), _intact(path), f"/proc/{process}/map_files/{start:x}-{end:x}"))
    return [(path, place) for _, path, place in sorted(found, key=lambda each: each[0])]


def _intact(path: str) -> str:
    """A path without the kernel's suffix for deleted files."""
    return path.removesuffix(" (deleted)")


def _is(text: str, name: str) -> bool:
    """Whether a file has this name, or a name that begins with it like libc.so.6 and libc-2.31.so for libc."""
    return name == text or (name.startswith((f"{text}.so", f"{text}-")) and ".so" in name)


def cached_libraries(cache: Path = _CACHE) -> Iterator[tuple[str, str]]:
    """(name, path) of the 64-bit libraries that ld.so knows; see glibc's dl-cache.h."""
    try:
        with cache.open("rb") as file:
            data = file.read(_LARGEST_CACHE)
    except OSError:
        return
    start = data.find(_CACHE_MAGIC)  # an older format may come first
    if start < 0 or len(data) < start + _CACHE_HEADER.size:
        return
    _, count, _ = _CACHE_HEADER.unpack_from(data, start)
    for number in range(min(count, len(data) // _CACHE_ENTRY.size)):
        at = start + _CACHE_HEADER.size + number * _CACHE_ENTRY.size
        if at + _CACHE_ENTRY.size > len(data):
            return
        flags, name, path, _, _ = _CACHE_ENTRY.unpack_from(data, at)
        if flags == _CACHE_KIND.get(os.uname().machine):
            yield _text(data, start + name), _text(data, start + path)


def _text(data: bytes, at: int) -> str:
    """Empty if it doesn't end, or ends too far away."""
    return os.fsdecode(data[at : max(at, data.find(b"\0", at, at + _LONGEST))])
