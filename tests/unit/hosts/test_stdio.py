from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.stdio import GREETING, NOISE, Greeted


@given(st.binary(max_size=200), st.binary(max_size=50), st.integers(1, 30))
def test_what_comes_before_is_skipped_in_pieces_of_any_size(noise: bytes, rest: bytes, piece: int) -> None:
    greeted, stream, after = Greeted(), noise + GREETING + rest, b""
    for at in range(0, len(stream), piece):
        part = stream[at : at + piece]
        if greeted.rest is None:
            greeted.feed(part)
        else:
            after += part
    assert greeted.rest is not None
    assert greeted.noise == noise
    assert greeted.rest + after == rest


def test_only_so_much_is_skipped() -> None:
    greeted = Greeted()
    assert not greeted.feed(b"!" * NOISE)
    with pytest.raises(BadFrame, match="64 KiB of other output"):
        greeted.feed(b"!" * 1000)


def test_another_protocol_is_told() -> None:
    with pytest.raises(BadFrame, match=r"ebpftop 9\.1 there speaks protocol 7, .* install the same version on both"):
        Greeted().feed(b"\0ebpftop frames 7 9.1\n")
