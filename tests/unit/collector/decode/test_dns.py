"""Questions as they stand in DNS messages, and codes of answers."""

from __future__ import annotations

import numpy as np
import pytest

from ebpftop.collector.decode import dns


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\3www\7example\3org\0\0\1\0\1", "www.example.org A"),
        (b"\7example\3org\0\0\x1c", "example.org AAAA"),
        (b"\1x\0\0\xfa\0\1", "x TYPE250"),
        (b"\0\0\2\0\1", ". NS"),
        (b"\3www\7exam", "www.exam…"),
        (b"\3www", "www…"),
        (b"\4a\xff[b\0\0\1", "a\\xff[b A"),
        (b"\7gr\xc3\xb6\xc3\x9fe\0\0\1", "größe A"),
        (b"\7gr\xc3\xb6\xc3", "grö…"),
        (b"\7gr\xc3\xb6", "grö…"),
        (b"\7\xe2\x82\xac\xe2\x82", "€…"),
        (b"\7\xf0\x9f\x90", "…"),
        (b"\4a\xff", "a\\xff…"),
        (b"", ". TYPE0"),
    ],
)
def test_questions(raw: bytes, text: str) -> None:
    assert dns.question(raw) == text


def test_rows_share_their_labels() -> None:
    column = dns.decode(np.array([b"\1x\0\0\1\0\1", b"\1y\0\0\1\0\1", b"\1x\0\0\1\0\1"], "S16"))
    assert sorted(column.labels) == ["x A", "y A"]


def test_codes() -> None:
    assert [dns.code(number) for number in (-1, 0, 2, 3, 9)] == ["", "", "SERVFAIL", "NXDOMAIN", "9"]
