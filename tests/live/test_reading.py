"""Maps and ring buffers of the running kernel, read whole."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ebpftop.collector.callstacks import StackMap
from ebpftop.collector.maps import MapReader
from ebpftop.collector.ring import Ring
from ebpftop.frames.layout import Field, Record
from ebpftop.kernel.libbpf import map_ids, possible_cpus
from tests.support import maps
from tests.support.maps import U32, U64, fill, new_map, update
from tests.support.processes import eventually
from tests.support.ringwriter import DISCARD_EVERY, RECORD, RingWriter, kept

pytestmark = pytest.mark.bpf

KEY = Record(20, [Field("tgid", "<u4", 0), Field("comm", "S16", 4)])
VALUE = Record(16, [Field("count", "<u8", 0), Field("bytes", "<u8", 8)])
PADDED = Record(16, [Field("tgid", "<u4", 0), Field("inode", "<u8", 8)])


def rows(count: int) -> tuple[np.ndarray, np.ndarray]:
    keys = np.zeros(count, [("tgid", "<u4"), ("comm", "S16")])
    keys["tgid"] = np.arange(count)
    keys["comm"] = b"worker"
    values = np.zeros(count, [("count", "<u8"), ("bytes", "<u8")])
    values["count"] = np.arange(count) * 7
    values["bytes"] = 1 << 40
    return keys, values


@pytest.mark.parametrize("kind", [maps.HASH, maps.LRU_HASH])
def test_every_entry_once_with_its_value(kind: int) -> None:
    keys, values = rows(5003)
    with new_map(kind, KEY, VALUE, 100_000) as (fd, layout):
        fill(fd, keys, values)
        got_keys, got_values = MapReader(fd, layout).read()
        order = np.argsort(got_keys["tgid"])
        assert got_keys["tgid"][order].tolist() == list(range(5003))
        assert set(got_keys["comm"].tolist()) == {b"worker"}
        assert (got_values["count"] == got_keys["tgid"] * 7).all()
        assert set(got_values["bytes"].tolist()) == {1 << 40}


def test_a_map_that_is_full_and_one_that_is_empty() -> None:
    keys, values = rows(1009)
    with new_map(maps.HASH, KEY, VALUE, 1009) as (fd, layout):
        reader = MapReader(fd, layout)
        assert [len(part) for part in reader.read()] == [0, 0]
        fill(fd, keys, values)
        assert sorted(reader.read()[0]["tgid"].tolist()) == list(range(1009))


def test_a_map_larger_than_its_layout_says_is_read_whole() -> None:
    """Buckets that don't fit the room left are asked for again."""
    keys, values = rows(20_000)
    with new_map(maps.HASH, KEY, VALUE, 20_000) as (fd, layout):
        fill(fd, keys, values)
        small = type(layout)(name="test", kind=layout.kind, max_entries=1, key=KEY, value=VALUE)
        got_keys, got_values = MapReader(fd, small).read()
        assert sorted(got_keys["tgid"].tolist()) == list(range(20_000))
        assert (got_values["count"] == got_keys["tgid"] * 7).all()


def test_a_second_reading_sees_what_changed() -> None:
    keys, values = rows(10)
    with new_map(maps.HASH, KEY, VALUE, 100) as (fd, layout):
        fill(fd, keys, values)
        reader = MapReader(fd, layout)
        reader.read()
        values["count"] += 1
        fill(fd, keys[:5], values[:5])
        got_keys, got_values = reader.read()
        assert dict(zip(got_keys["tgid"].tolist(), got_values["count"].tolist(), strict=True)) == {
            n: n * 7 + (n < 5) for n in range(10)
        }


@pytest.mark.parametrize("kind", [maps.PERCPU_HASH, maps.LRU_PERCPU_HASH, maps.PERCPU_ARRAY])
def test_values_of_all_cpus_are_summed(kind: int) -> None:
    cpus = possible_cpus()
    keys = np.arange(37, dtype="<u4")
    values = np.arange(37, dtype="<u8")[:, None] * 100 + np.arange(cpus, dtype="<u8")
    with new_map(kind, U32, U64, 1000) as (fd, layout):  # an LRU map evicts long before it is full
        update(fd, keys, values)
        got_keys, got_values = MapReader(fd, layout).read()
        got = dict(zip(got_keys["key"].tolist(), got_values["value"].tolist(), strict=True))
        assert {key: got[key] for key in range(37)} == {k: k * 100 * cpus + sum(range(cpus)) for k in range(37)}
        assert sum(got.values()) == sum(values.ravel().tolist())


def test_a_value_of_each_cpu_that_is_no_multiple_of_eight_bytes() -> None:
    cpus = possible_cpus()
    value = Record(12, [Field("hits", "<u4", 0, 2), Field("who", "S4", 8)])
    one = struct.pack("<II4s4x", 3, 1, b"abc\0")
    with new_map(maps.PERCPU_ARRAY, U32, value, 2) as (fd, layout):
        update(fd, np.array([1], "<u4"), np.array([one * cpus], f"S{16 * cpus}"))
        _, got = MapReader(fd, layout).read()
        assert got["hits"].tolist() == [[0, 0], [3 * cpus, cpus]]
        assert got["who"].tolist() == [b"", b"abc"]


def test_the_key_of_an_array_is_its_index() -> None:
    with new_map(maps.ARRAY, U32, U64, 500) as (fd, layout):
        update(fd, np.array([3, 499], "<u4"), np.array([17, 23], "<u8"))
        keys, values = MapReader(fd, layout).read()
        assert keys["key"].tolist() == list(range(500))
        assert np.flatnonzero(values["value"]).tolist() == [3, 499]
        assert values["value"][[3, 499]].tolist() == [17, 23]


def test_a_kind_of_map_that_refuses_batches_is_read_entry_by_entry() -> None:
    """A stack trace map can't be filled from here: it says ENOTSUPP to a batch, and that it is empty."""
    stack = Record(16, [Field("ip", "<u8", 0, 2)])
    with new_map(maps.STACK_TRACE, U32, stack, 64) as (fd, layout):
        assert [len(part) for part in MapReader(fd, layout).read()] == [0, 0]


@pytest.mark.parametrize("kind", [maps.HASH, maps.ARRAY, maps.PERCPU_HASH])
def test_entry_by_entry_reads_the_same(kind: int) -> None:
    cpus = possible_cpus() if kind == maps.PERCPU_HASH else 1
    with new_map(kind, U32, U64, 53) as (fd, layout):
        update(fd, np.arange(53, dtype="<u4"), np.repeat(np.arange(53, dtype="<u8")[:, None], cpus, axis=1))
        reader = MapReader(fd, layout)
        reader._batches = False
        keys, values = reader.read()
        assert sorted(keys["key"].tolist()) == list(range(53))
        assert (values["value"] == keys["key"] * cpus).all()


def test_a_map_without_keys_is_an_error() -> None:
    with (
        new_map(maps.QUEUE, Record(0, []), U64, 8) as (fd, layout),
        pytest.raises(OSError, match="reading a map"),
    ):
        MapReader(fd, layout).read()


def test_deleting_counts_those_that_were_there() -> None:
    keys, values = rows(100)
    with new_map(maps.HASH, KEY, VALUE, 100) as (fd, layout):
        fill(fd, keys, values)
        reader = MapReader(fd, layout)
        assert reader.delete(keys[::2]) == 50
        assert reader.delete(keys[:10]) == 5
        assert reader.delete(keys[:0]) == 0
        assert sorted(reader.read()[0]["tgid"].tolist()) == [n for n in range(100) if n % 2 and n > 9]


def test_deleting_by_keys_with_padding() -> None:
    with new_map(maps.HASH, PADDED, U64, 300) as (fd, layout):
        raw = np.array([(n, 0, n + 1000) for n in range(300)], [("tgid", "<u4"), ("pad", "<u4"), ("inode", "<u8")])
        fill(fd, raw, np.ones(300, "<u8"))
        reader = MapReader(fd, layout)
        keys, _ = reader.read()
        low, high = keys[keys["tgid"] < 100], keys[keys["tgid"] >= 200]
        assert reader.delete(np.concatenate((low, high))) == 200
        assert sorted(reader.read()[0]["inode"].tolist()) == list(range(1100, 1200))


def test_entries_that_stay_are_never_missed_nor_seen_twice_while_others_come_and_go() -> None:
    keys, values = rows(2000)
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            fill(fd, keys[1000:], values[1000:])
            MapReader(fd, layout).delete(keys[1000:])

    with new_map(maps.HASH, KEY, VALUE, 4000) as (fd, layout):  # room, as deleted entries are free again a little later
        fill(fd, keys[:1000], values[:1000])
        thread = threading.Thread(target=churn)
        thread.start()
        try:
            reader = MapReader(fd, layout)
            for _ in range(100):
                seen = reader.read()[0]["tgid"].tolist()
                assert len(seen) == len(set(seen))
                assert set(range(1000)) <= set(seen)
        finally:
            stop.set()
            thread.join()


def test_a_descriptor_that_is_no_map() -> None:
    with new_map(maps.HASH, U32, U64, 1) as (_, layout):
        null = os.open(os.devnull, os.O_RDONLY)
        with pytest.raises(OSError, match="reading a map"):
            MapReader(null, layout).read()
        os.close(null)


# ---------------------------------------------------------------- ring buffers

SIZE = 1 << 14
ROOM = SIZE // 24  # records that fit


@pytest.fixture
def writer() -> Iterator[RingWriter]:
    made = RingWriter(SIZE)
    yield made
    made.close()


def test_records_arrive_in_order_without_the_discarded(writer: RingWriter) -> None:
    ring = Ring(writer.fd, SIZE, RECORD)
    assert len(ring.drain()) == 0
    writer.run(101)
    records = ring.drain()
    assert records["number"].tolist() == [n for n in range(101) if n % DISCARD_EVERY != DISCARD_EVERY - 1]
    assert (records["thrice"] == records["number"] * 3).all()
    assert len(ring.drain()) == 0
    ring.close()


def test_records_go_on_over_the_end_of_the_ring(writer: RingWriter) -> None:
    ring = Ring(writer.fd, SIZE, RECORD)
    drained = []
    for _ in range(10):
        writer.run(401)
        drained.append(ring.drain())
    records = np.concatenate(drained)
    assert records["number"].tolist() == kept(records).tolist()
    assert (records["thrice"] == records["number"] * 3).all()
    assert writer.counts() == (4010, 0)
    ring.close()


def test_a_full_ring_refuses_and_takes_again_once_drained(writer: RingWriter) -> None:
    ring = Ring(writer.fd, SIZE, RECORD)
    writer.run(ROOM + 5)
    begun, refused = writer.counts()
    assert begun - refused <= ROOM
    assert refused >= 5
    assert len(ring.drain()) == sum(n % DISCARD_EVERY != DISCARD_EVERY - 1 for n in range(begun - refused))
    writer.run(8)
    assert len(ring.drain()) == 7
    ring.close()


def test_a_limit_takes_the_oldest(writer: RingWriter) -> None:
    ring = Ring(writer.fd, SIZE, RECORD)
    writer.run(20)
    assert ring.drain(7)["number"].tolist() == list(range(7))
    assert ring.drain(7)["number"].tolist() == list(range(8, 14))
    assert ring.drain()["number"].tolist() == [14, 16, 17, 18, 19]
    ring.close()


def test_seen_and_refused_and_discarded_are_all_there_were_while_two_threads_write(writer: RingWriter) -> None:
    ring = Ring(writer.fd, SIZE, RECORD)
    threads = [threading.Thread(target=writer.run, args=(50_000,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    drained = []
    while any(thread.is_alive() for thread in threads):
        drained.append(ring.drain())
    drained.append(ring.drain())
    numbers = np.concatenate(drained)["number"]
    begun, refused = writer.counts()
    assert begun == 100_000
    assert len(np.unique(numbers)) == len(numbers)
    assert (numbers % DISCARD_EVERY != DISCARD_EVERY - 1).all()
    most = begun * (DISCARD_EVERY - 1) // DISCARD_EVERY
    assert most - refused <= len(numbers) <= most
    ring.close()


def test_the_ring_goes_away_once_it_is_closed() -> None:
    writer = RingWriter(SIZE)
    number = map_id(writer.fd)
    ring = Ring(writer.fd, SIZE, RECORD)
    writer.run(3)
    assert len(ring.drain()) == 3
    writer.close()
    time.sleep(0.2)
    assert number in map_ids()
    ring.close()
    eventually(lambda: number not in map_ids(), "the ring is gone")


def map_id(fd: int) -> int:
    """What the kernel calls the map behind a descriptor."""
    lines = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
    return int(dict(line.split(":\t") for line in lines)["map_id"])


def test_a_stack_is_read_from_the_map_that_its_number_names() -> None:
    stack = Record(127 * 8, [Field("ip", "<u8", 0, 127)])
    with new_map(maps.HASH, U32, stack, 4) as (first, layout), new_map(maps.HASH, U32, stack, 4) as (second, _):
        for fd, addresses in ((first, [0x1000, 0x2000]), (second, [0x3000])):
            values = np.zeros((1, 127), "<u8")
            values[0, : len(addresses)] = addresses
            update(fd, np.array([41], "<u4"), values)
        both = StackMap(first, second, layout)
        assert both.addresses(41) == [0x1000, 0x2000]
        assert both.addresses(41 | 1 << 30) == [0x3000]
        assert both.addresses(43) == both.addresses(43 | 1 << 30) == []
        assert StackMap(first, None, layout).addresses(41 | 1 << 30) == []
