"""What this machine's kernel reports of processes, read without root's rights."""

import mmap
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.kernel import memory_events
from ebpftop.kernel.memory_events import SIZE, Ended, Executed, File, Forked, Mapped, MemoryEvents


class Ring(bytearray):
    """A ring in ordinary memory."""

    def close(self) -> None: ...


def ring(records: bytes, tail: int = 0) -> MemoryEvents:
    """One that holds these records from `tail` on, which may be at its end."""
    memory = Ring(mmap.PAGESIZE + SIZE)
    for at, byte in enumerate(records):
        memory[mmap.PAGESIZE + (tail + at) % SIZE] = byte
    struct.pack_into("<QQ", memory, 1024, tail + len(records), tail)
    events = MemoryEvents.__new__(MemoryEvents)
    events.fd, events.size, events.lost, events._ring = -1, SIZE, 0, memory
    return events


def record(kind: int, body: bytes, time: int, misc: int = 0) -> bytes:
    return struct.pack("<IHH", kind, misc, 16 + len(body)) + body + struct.pack("<Q", time)


def mapped(time: int, path: bytes = b"/bin/app\0\0\0\0\0\0\0\0") -> bytes:
    fields = struct.pack("<IIQQQIIQQII", 7, 7, 0x1000, 0x2000, 0x3000, 254, 0, 99, 5, 5, 2)
    return record(10, fields + path, time)


RECORDS = (
    record(7, struct.pack("<IIIIQ", 7, 3, 7, 3, 1), 10)
    + record(7, struct.pack("<IIIIQ", 7, 7, 8, 7, 1), 11)  # a thread
    + record(3, struct.pack("<II", 7, 7) + b"app\0\0\0\0\0", 12, misc=1 << 13)
    + record(3, struct.pack("<II", 7, 7) + b"other\0\0\0", 13)  # it was only renamed
    + mapped(14)
    + record(2, struct.pack("<QQ", 0, 6), 15)
    + record(4, struct.pack("<IIIIQ", 7, 7, 8, 7, 1), 16)
    + record(4, struct.pack("<IIIIQ", 7, 3, 7, 3, 1), 17)
)
EVENTS = [
    Forked(10, 7, 3),
    Executed(12, 7),
    Mapped(14, 7, 0x1000, 0x3000, 0x3000, File(b"fe:00", 99, 5, b"/bin/app")),
    Ended(17, 7),
]


@pytest.mark.parametrize("tail", [0, SIZE - 8, SIZE - len(RECORDS), 5 * SIZE - 100])
def test_records_are_events_also_where_the_ring_begins_anew(tail: int) -> None:
    events = ring(RECORDS, tail)
    assert events.waiting == len(RECORDS)
    assert events.drain() == EVENTS
    assert events.lost == 6
    assert events.waiting == 0
    assert events.drain() == []


@given(st.lists(st.tuples(st.integers(0, len(RECORDS) - 1), st.integers(0, 255)), max_size=6))
def test_damaged_records_are_read_to_an_end(changes: list[tuple[int, int]]) -> None:
    data = bytearray(RECORDS)
    for at, byte in changes:
        data[at] = byte
    ring(bytes(data)).drain()


@pytest.mark.root
def test_a_program_that_is_executed_is_reported_with_its_files() -> None:
    opened = [MemoryEvents(fd) for fd in memory_events.open_all()]
    try:
        for each in opened:
            each.switch(True)
        with subprocess.Popen(["/bin/true"]) as process:
            process.wait()
        found = sorted(event for each in opened for event in each.drain() if event.tgid == process.pid)
    finally:
        for each in opened:
            each.close()
    assert [type(event).__name__ for event in found if not isinstance(event, Mapped)] == ["Forked", "Executed", "Ended"]
    inode = Path("/bin/true").stat().st_ino
    assert inode in {event.file.inode for event in found if isinstance(event, Mapped)}
