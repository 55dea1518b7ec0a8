"""Records as dtypes, and records as keys."""

import numpy as np

from ebpftop.collector.layout import dtype, opaque
from ebpftop.frames.layout import Field, Record

PADDED = Record(16, [Field("tgid", "<u4", 0), Field("inode", "<u8", 8)])


def test_fields_lie_where_the_record_says() -> None:
    record = Record(32, [Field("tgid", "<u4", 0), Field("comm", "S16", 4), Field("address", "u1", 20, 4)])
    raw = (7).to_bytes(4, "little") + b"bash".ljust(16, b"\0") + bytes([10, 0, 0, 1]) + bytes(8)
    (row,) = np.frombuffer(raw, dtype(record))
    assert row["tgid"] == 7
    assert row["comm"] == b"bash"
    assert row["address"].tolist() == [10, 0, 0, 1]


def test_a_size_rounded_up() -> None:
    assert dtype(Record(12, [Field("a", "<u4", 8)]), multiple=8).itemsize == 16
    assert dtype(PADDED, multiple=8).itemsize == 16


def test_copies_of_a_record_with_padding_are_the_same_key() -> None:
    records = np.frombuffer(bytes(range(1, 17)) * 3, dtype(PADDED))
    copied = records[np.array([True, False, True])].copy()
    expected = bytes([1, 2, 3, 4, 0, 0, 0, 0, 9, 10, 11, 12, 13, 14, 15, 16])
    assert [key.tobytes() for key in opaque(copied)] == [expected, expected]
    assert len(np.setdiff1d(opaque(records), opaque(copied))) == 0


def test_records_without_padding_are_their_bytes() -> None:
    record = dtype(Record(8, [Field("tgid", "<u4", 0), Field("slot", "<u4", 4)]))
    records = np.frombuffer(bytes(range(24)), record)
    assert [key.tobytes() for key in opaque(records[::2])] == [bytes(range(8)), bytes(range(16, 24))]
