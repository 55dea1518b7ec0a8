"""A program built byte by byte: machine code with a USDT probe, and the tables that describe it."""

from __future__ import annotations

import struct
from pathlib import Path

_BASE = 0x400000
_STATIC_PROBE, _NOTES, _SYMBOLS, _STRINGS, _BITS = 3, 7, 2, 3, 1
_EXPORTED = 11
FUNCTION, INDIRECT = 2, 10


def note(
    provider: bytes, name: bytes, location: int, base: int = 0, semaphore: int = 0, arguments: bytes = b""
) -> bytes:
    """The note of one USDT probe, as sys/sdt.h writes it."""
    content = struct.pack("<QQQ", location, base, semaphore) + provider + b"\0" + name + b"\0" + arguments + b"\0"
    header = struct.pack("<III", 8, len(content), _STATIC_PROBE) + b"stapsdt\0"
    return header + content + bytes(-len(content) % 4)


def elf(
    functions: dict[bytes, tuple[int, int]],
    notes: bytes = b"",
    *,
    base: int | None = None,
    code: bytes = b"\x90" * 64,
    machine: int = 62,
    writable: bool = False,
    stripped: bool = False,
) -> bytes:
    """A file whose code is at offset 0x1000 and address 0x401000. functions: name → (type, offset in the code).

    writable: a page of zeros follows, at offset 0x2000 and address 0x402000. stripped: only the names for other files
    remain.
    """
    if writable:
        code = code.ljust(0x1000, b"\0") + bytes(0x1000)
    names, symbols = b"\0", bytes(24)
    for name, (kind, at) in functions.items():
        symbols += struct.pack("<IBBHQQ", len(names), 16 | kind, 0, 1, _BASE + 0x1000 + at, 4)
        names += name + b"\0"
    sections = [
        (b"", 0, 0, b"", 0),
        (b".text", _BITS, _BASE + 0x1000, code, 0),
        (b".symtab", _EXPORTED if stripped else _SYMBOLS, 0, symbols, 3),
        (b".strtab", _STRINGS, 0, names, 0),
        (b".note.stapsdt", _NOTES, 0, notes, 0),
    ]
    if base is not None:
        sections.append((b".stapsdt.base", _BITS, base, b"\0", 0))
    sections.append((b".shstrtab", _STRINGS, 0, b"\0".join(name for name, *_ in sections) + b"\0.shstrtab\0", 0))
    data, table, label = b"", b"", 0
    for name, kind, address, content, link in sections:
        place = 0x1000 + len(data)
        data += content
        table += struct.pack("<IIQQQQIIQQ", label, kind, 0, address, place, len(content), link, 0, 1, 24)
        label += len(name) + 1
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, machine, 1, _BASE + 0x1000, 64, 0x1000 + len(data), 0,
        64, 56, 2 if writable else 1, 64, len(sections), len(sections) - 1,
    )  # fmt: skip
    segment = _segment(5, 0, 0x2000 if writable else 0x1000 + len(data))
    more = _segment(6, 0x2000, 0x1000) if writable else b""
    return (header + segment + more).ljust(0x1000, b"\0") + data + table


def _segment(flags: int, offset: int, size: int) -> bytes:
    return struct.pack("<IIQQQQQQ", 1, flags, offset, _BASE + offset, _BASE + offset, size, size, 0x1000)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o755)
    return path
