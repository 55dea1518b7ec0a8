"""Char arrays."""

import numpy as np

from ebpftop.collector.decode.text import decode
from ebpftop.frames.columns import Labels, unpack


def texts(values: np.ndarray) -> list[str]:
    column = unpack({"x": decode(values)})["x"]
    assert isinstance(column, Labels)
    return column.texts()


def test_text_ends_at_its_nul() -> None:
    assert texts(np.array([b"bash", b"", b"exactly-16-bytes"], "S16")) == ["bash", "", "exactly-16-bytes"]


def test_what_lies_behind_the_nul_makes_no_difference() -> None:
    column = decode(np.array([b"ls\0old", b"ls\0rubbish", b"cat"], "S16"))
    assert sorted(column.labels or ()) == ["cat", "ls"]
    assert texts(np.array([b"ls\0old", b"ls\0rubbish", b"cat"], "S16")) == ["ls", "ls", "cat"]


def test_bytes_that_are_no_utf8_become_visible() -> None:
    assert texts(np.array([b"a\xffb", "größe".encode()], "S16")) == ["a\\xffb", "größe"]


def test_no_rows() -> None:
    assert texts(np.empty(0, "S16")) == []
