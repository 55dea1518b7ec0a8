"""What the kernel may leave in a ring buffer, in a file that lies as one does."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from ebpftop.collector.ring import Ring, RingBroken

PAGE = mmap.PAGESIZE
SIZE = PAGE
RECORD = np.dtype([("number", "<u4")])
BUSY, DISCARDED = 1 << 31, 1 << 30


class File:
    """Consumer's page, producer's page, then the data twice."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("ring")
        os.truncate(self.fd, 2 * PAGE + 2 * SIZE)

    def positions(self, consumer: int, producer: int) -> None:
        os.pwrite(self.fd, struct.pack("<Q", consumer), 0)
        os.pwrite(self.fd, struct.pack("<Q", producer), PAGE)

    def consumer(self) -> int:
        return int(struct.unpack("<Q", os.pread(self.fd, 8, 0))[0])

    def put(self, position: int, header: int, number: int) -> None:
        """A record of 16 bytes in all, at a position, in both copies."""
        self.write(position, struct.pack("<IIII", header, 0, number, 0))

    def write(self, position: int, content: bytes) -> None:
        for byte, value in enumerate(content):
            at = (position + byte) % SIZE
            for copy in (0, SIZE):
                os.pwrite(self.fd, bytes([value]), 2 * PAGE + copy + at)


@pytest.fixture
def file() -> Iterator[File]:
    made = File()
    yield made
    os.close(made.fd)


@pytest.fixture
def ring(file: File) -> Iterator[Ring]:
    made = Ring(file.fd, SIZE, RECORD)
    yield made
    made.close()


def test_an_empty_ring(ring: Ring) -> None:
    assert ring.drain().tolist() == []


def test_a_record_still_being_written_holds_back_those_behind_it(file: File, ring: Ring) -> None:
    for at, header in enumerate((4, 4 | DISCARDED, 4, 4 | BUSY, 4)):
        file.put(16 * at, header, 100 + at)
    file.positions(0, 80)
    assert ring.drain()["number"].tolist() == [100, 102]
    assert file.consumer() == 48
    assert ring.drain()["number"].tolist() == []
    file.put(48, 4, 103)
    assert ring.drain()["number"].tolist() == [103, 104]
    assert file.consumer() == 80


def test_records_over_the_end(file: File, ring: Ring) -> None:
    start = 5 * SIZE - 16
    for at in range(3):
        file.put(start + 16 * at, 4, at)
    file.positions(start, start + 48)
    assert ring.drain()["number"].tolist() == [0, 1, 2]
    assert file.consumer() == start + 48


def test_a_wrong_length_is_an_error_and_takes_nothing(file: File, ring: Ring) -> None:
    file.put(0, 4, 1)
    file.put(16, 8, 2)
    file.positions(0, 32)
    with pytest.raises(RingBroken, match="a record of 8 bytes in a ring buffer of records of 4"):
        ring.drain()
    assert file.consumer() == 0


@pytest.mark.parametrize(("consumer", "producer"), [(0, SIZE + 16), (32, 16)])
def test_impossible_positions_are_an_error(file: File, ring: Ring, consumer: int, producer: int) -> None:
    file.positions(consumer, producer)
    with pytest.raises(RingBroken, match="claims to hold"):
        ring.drain()


def test_what_was_drained_does_not_change(file: File, ring: Ring) -> None:
    file.put(0, 4, 17)
    file.positions(0, 16)
    records = ring.drain()
    file.put(0, 4, 99)
    assert records["number"].tolist() == [17]


NAMED = np.dtype([("number", "<u4"), ("name", "S20")])


@pytest.fixture
def named(file: File) -> Iterator[Ring]:
    made = Ring(file.fd, SIZE, NAMED)
    yield made
    made.close()


def fill(file: File, start: int, names: list[bytes], flags: dict[int, int] | None = None) -> int:
    """Records numbered from 0 that end with their names, as `bpf_ringbuf_output` writes them; rubbish between them.

    Returns where they end.
    """
    at = start
    for number, name in enumerate(names):
        record = struct.pack("<I", number) + name
        header = struct.pack("<II", len(record) | (flags or {}).get(number, 0), 0)
        file.write(at, (header + record).ljust(-(-(8 + len(record)) // 8) * 8, b"?"))
        at += -(-(8 + len(record)) // 8) * 8
    file.positions(start, at)
    return at


def test_records_that_end_within_their_last_field(file: File, named: Ring) -> None:
    names = [b"/etc/passwd\0", b"\0", b"", b"as long as can be...", b"abc\0"]
    start = 3 * SIZE - 40
    end = fill(file, start, names)
    records = named.drain()
    assert records["number"].tolist() == [0, 1, 2, 3, 4]
    assert records["name"].tolist() == [name.rstrip(b"\0") for name in names]
    assert file.consumer() == end
    assert named.most == end - start


def test_the_last_field_is_as_long_as_the_batch_needs(file: File, named: Ring) -> None:
    fill(file, 0, [b"x\0", b"abcdefg\0"])
    assert named.drain()["name"].dtype.itemsize == 12


def test_a_short_record_behind_full_ones(file: File, named: Ring) -> None:
    fill(file, 0, [b"a" * 20, b"b" * 20, b"c\0"])
    assert named.drain()["number"].tolist() == [0, 1, 2]


def test_short_records_that_are_busy_or_discarded(file: File, named: Ring) -> None:
    fill(file, 0, [b"a\0", b"bb\0", b"c" * 12 + b"\0", b"d\0", b"e\0"], {1: DISCARDED, 3: BUSY})
    assert named.drain()["name"].tolist() == [b"a", b"c" * 12]
    assert named.drain()["name"].tolist() == []


def test_short_records_up_to_a_limit(file: File, named: Ring) -> None:
    fill(file, 0, [b"a\0", b"bb\0", b"ccc\0"], {0: DISCARDED})
    assert named.drain(2)["name"].tolist() == [b"bb"]
    assert named.drain()["name"].tolist() == [b"ccc"]


@pytest.mark.parametrize("length", [3, 25])
def test_a_length_that_no_record_can_have(file: File, named: Ring, length: int) -> None:
    file.write(0, struct.pack("<II", length, 0))
    file.positions(0, 40)
    with pytest.raises(RingBroken, match=f"a record of {length} bytes in a ring buffer of records of 24"):
        named.drain()
    assert file.consumer() == 0


def test_a_record_beyond_the_producers_position(file: File, named: Ring) -> None:
    file.write(0, struct.pack("<II", 24, 0))
    file.positions(0, 16)
    with pytest.raises(RingBroken, match="16 bytes beyond"):
        named.drain()


def test_a_descriptor_that_can_not_be_mapped() -> None:
    end, other = os.pipe()
    with pytest.raises(PermissionError):
        Ring(end, SIZE, RECORD)
    os.close(end)
    os.close(other)


def in_place(ring: Ring) -> list[tuple[int, bytes]]:
    return [(end, bytes(record)) for end, record in ring.in_place()]


def test_records_are_read_where_they_lie_until_they_are_released(file: File, ring: Ring) -> None:
    file.put(0, 4, 11)
    file.put(16, 4 | DISCARDED, 12)
    file.put(32, 4, 13)
    file.put(48, 4 | BUSY, 14)
    file.positions(0, 64)
    first, discarded, third = in_place(ring)
    assert (first, discarded, third) == ((16, struct.pack("<I", 11)), (32, b""), (48, struct.pack("<I", 13)))
    assert file.consumer() == 0
    assert ring.most == 64
    ring.release(32)
    assert file.consumer() == 32
    assert in_place(ring) == [third]


def test_a_record_that_goes_beyond_what_is_written_is_not_read_in_place(file: File, ring: Ring) -> None:
    file.put(0, 4, 11)
    file.put(16, 400, 12)
    file.positions(0, 32)
    with pytest.raises(RingBroken, match="400 bytes"):
        in_place(ring)
    file.positions(0, 2 * SIZE)
    with pytest.raises(RingBroken, match="claims"):
        in_place(ring)


def test_a_record_across_the_end_is_read_in_place(file: File, ring: Ring) -> None:
    at = 5 * SIZE - 8
    file.put(at, 4, 15)
    file.positions(at, at + 16)
    assert in_place(ring) == [(at + 16, struct.pack("<I", 15))]
