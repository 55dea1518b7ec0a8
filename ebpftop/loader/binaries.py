"""Programs and libraries as a person names them: by path, by name, or as those of a process."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
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
    """There is no such file, or it can't be read; its text is one line."""


def open_binary(text: str, process: int | None = None) -> tuple[str, int]:
    """(path, descriptor) of a file given by its path, by the name of a program (`bash`) or of a library (`libc`,
    `libssl.so.3`).

    A process: its program goes by the beginning of its name (`python3`, or nothing at all), a library is looked for
    among those it has mapped. Raises `NoBinary`.
    """
    path, place = _found(text, process)
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise NoBinary(f"{path}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NoBinary(f"{path}: not a file")
    return path, descriptor


def _found(text: str, process: int | None) -> tuple[str, str]:
    """The path as people know it, and one by which it can be opened here."""
    if "/" in text:
        return text, text
    if process is not None:
        return _of_process(text, process)
    for folder in _FOLDERS:
        if os.path.exists(path := f"{folder}/{text}"):
            return path, path
    for name, path in cached_libraries():
        if _is(text, name):
            return path, path
    raise NoBinary(f"there is no program or library {text!a} here: give its path")


def _of_process(text: str, process: int) -> tuple[str, str]:
    try:
        program = os.readlink(f"/proc/{process}/exe")
        if os.path.basename(program).startswith(text):
            return program, f"/proc/{process}/exe"
        with open(f"/proc/{process}/maps", "rb") as file:
            mapped = file.read(_LARGEST_MAPS).splitlines()
    except OSError as error:
        raise NoBinary(f"process {process}: {error.strerror}") from None
    for line in mapped:
        fields = line.split(None, 5)
        path = os.fsdecode(fields[5]) if len(fields) > 5 else ""
        if path.startswith("/") and _is(text, os.path.basename(path)):
            return path, f"/proc/{process}/root{path}"
    raise NoBinary(f"process {process} uses no {text!a}")


def _is(text: str, name: str) -> bool:
    """Whether a file's name is that, or begins with it as libc.so.6 and libc-2.31.so with libc."""
    return name == text or (name.startswith((f"{text}.so", f"{text}-")) and ".so" in name)


def cached_libraries(cache: Path = _CACHE) -> Iterator[tuple[str, str]]:
    """(name, path) of the libraries that ld.so knows, 64-bit ones; see glibc's dl-cache.h."""
    try:
        with cache.open("rb") as file:
            data = file.read(_LARGEST_CACHE)
    except OSError:
        return
    start = data.find(_CACHE_MAGIC)  # an older format may stand before
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
    """Empty where it doesn't end, or too far away."""
    return os.fsdecode(data[at : max(at, data.find(b"\0", at, at + _LONGEST))])
