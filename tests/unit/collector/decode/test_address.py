"""IP addresses."""

import numpy as np

from ebpftop.collector.decode.address import decode
from ebpftop.frames.columns import Labels, unpack


def test_both_families() -> None:
    raw = [
        bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 7]),
        bytes.fromhex("20010db8000000000000000000000001"),
        bytes(15) + b"\1",
        bytes(16),
        bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 7]),
    ]
    column = decode(np.frombuffer(b"".join(raw), "u1").reshape(5, 16))
    values = unpack({"x": column})["x"]
    assert isinstance(values, Labels)
    assert values.texts() == ["192.0.2.7", "2001:db8::1", "::1", "::", "192.0.2.7"]
    assert len(column.labels or []) == 4


def test_no_rows() -> None:
    assert decode(np.empty((0, 16), "u1")).labels == []
