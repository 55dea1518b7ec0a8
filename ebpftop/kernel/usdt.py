"""Reads USDT probes in programs and libraries. Format of their ELF notes: SystemTap's sys/sdt.h."""

from __future__ import annotations

import struct
from typing import NamedTuple

from ebpftop.kernel.elf import Elf

_NOTE = struct.Struct("<III")
_PLACES = struct.Struct("<QQQ")  # location, base, semaphore
_STATIC_PROBE = 3
_FARTHEST = 1 << 32  # limit for a counter's offset: the kernel accepts 32 bits


class StaticProbe(NamedTuple):
    """File offsets of the probe and of its semaphore, a counter to raise while attached (0: none).

    arguments: their locations, as written in the note; untrusted text.
    """

    provider: bytes
    name: bytes
    offset: int
    semaphore: int
    arguments: str = ""


def static_probes(elf: Elf) -> list[StaticProbe]:
    """The probes in the file's order; one name may have several locations."""
    notes = elf.section(b".note.stapsdt")
    base = elf.section(b".stapsdt.base")
    return _probes(elf, notes[1], base[0] if base else None) if notes else []


def _probes(elf: Elf, notes: bytes, base: int | None) -> list[StaticProbe]:
    found, at = [], 0
    while at + _NOTE.size <= len(notes):
        owner_size, size, kind = _NOTE.unpack_from(notes, at)
        owner = notes[at + _NOTE.size : at + _NOTE.size + owner_size]
        start = at + _NOTE.size + _padded(owner_size)
        content = notes[start : start + size]
        at = start + _padded(size)
        if owner != b"stapsdt\0" or kind != _STATIC_PROBE or len(content) < _PLACES.size:
            continue
        location, linked_base, semaphore = _PLACES.unpack_from(content)
        moved = base - linked_base if base is not None else 0  # by prelink, after the notes were written
        provider, name, arguments, *_ = (*content[_PLACES.size :].split(b"\0"), b"", b"")
        place = elf.offset(location + moved)
        counter = elf.offset(semaphore + moved) if semaphore else 0
        if place is not None and counter is not None and counter < _FARTHEST:
            found.append(StaticProbe(provider, name, place, counter, arguments.decode("latin-1")))
    return found


def _padded(size: int) -> int:
    return -(-size // 4) * 4
