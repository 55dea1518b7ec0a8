"""Functions and static probes read from a file, and that no file does harm."""

from __future__ import annotations

import random
import struct

import pytest

from ebpftop.kernel.elf import BadElf, Elf
from ebpftop.kernel.usdt import StaticProbe, static_probes
from tests.support.elf_file import FUNCTION, INDIRECT, elf, note

FUNCTIONS = {b"one": (FUNCTION, 0), b"two@@V_1.2": (FUNCTION, 16), b"fast": (INDIRECT, 32)}
NOTES = note(b"shop", b"sold", 0x401008) + note(b"shop", b"bought", 0x401010, semaphore=0x401020)


def read(data: bytes) -> Elf:
    return Elf(lambda length, offset: data[offset : offset + length])


def test_functions_by_name_lie_at_offsets_of_the_file() -> None:
    assert read(elf(FUNCTIONS)).places() == ({b"one": 0x1000, b"two": 0x1010}, {b"fast"})


def test_names_that_overlap_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each symbol's name is the end of one long name: a table of a few bytes would unfold to many."""
    monkeypatch.setattr("ebpftop.kernel.elf._LARGEST", 1 << 16)
    long = {b"f" * 1_000: (FUNCTION, 0)} | {b"g%d" % n: (FUNCTION, 0) for n in range(211)}
    data = bytearray(elf(long))
    assert len(read(bytes(data)).places()[0]) == 212
    first = data.find(struct.pack("<IBB", 1, 16 | FUNCTION, 0))
    for number in range(1, 212):
        struct.pack_into("<I", data, first + 24 * number, 1 + number)
    with pytest.raises(BadElf, match="too many"):
        read(bytes(data)).places()


def test_static_probes_with_and_without_a_semaphore() -> None:
    assert static_probes(read(elf(FUNCTIONS, NOTES))) == [
        StaticProbe(b"shop", b"sold", 0x1008, 0),
        StaticProbe(b"shop", b"bought", 0x1010, 0x1020),
    ]


def test_places_that_moved_after_the_notes_were_written() -> None:
    notes = note(b"shop", b"sold", 0x1008, base=0x9000, semaphore=0x1020)
    (probe,) = static_probes(read(elf({}, notes, base=0x409000)))
    assert (probe.offset, probe.semaphore) == (0x1008, 0x1020)


@pytest.mark.parametrize(
    "notes",
    [
        note(b"shop", b"sold", 0x10),  # nowhere
        note(b"shop", b"sold", 0x401008, semaphore=1 << 63),
        note(b"shop", b"sold", 0x401008)[:-20],
        note(b"shop", b"sold", 0x401008).replace(b"stapsdt", b"another"),
        b"\xff" * 64,
        b"\0" * 5,
    ],
)
def test_a_note_that_makes_no_sense_is_left_out(notes: bytes) -> None:
    assert static_probes(read(elf({}, notes))) == []


def test_no_bytes_do_harm() -> None:
    chance = random.Random(7)
    whole = elf(FUNCTIONS, NOTES, base=0x400000)
    for _ in range(2_000):
        data = bytearray(whole[: chance.choice((len(whole), chance.randrange(len(whole))))])
        for _ in range(chance.randrange(1, 12)):
            if data:
                data[chance.choice((chance.randrange(len(data)), chance.randrange(min(120, len(data)))))] = (
                    chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
                )
        for start in range(max(0, len(data) - 512), len(data)):
            if chance.random() < 0.02:
                data[start] = chance.randrange(256)
        try:
            file = read(bytes(data))
            file.places()
            static_probes(file)
            file.function(0x401008)
        except BadElf:
            pass
