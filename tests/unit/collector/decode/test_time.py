"""Moments."""

import time

import numpy as np

from ebpftop.collector.decode.time import decode
from ebpftop.frames.columns import unpack


def test_the_monotonic_clock_becomes_realtime() -> None:
    earlier = time.time_ns()
    (moment,) = unpack({"x": decode(np.array([time.monotonic_ns()], "<u8"))})["x"]
    assert earlier - 1_000_000 <= moment <= time.time_ns() + 1_000_000


def test_what_lies_between_two_moments_stays() -> None:
    column = decode(np.array([1_000, 5_000], "<u8"))
    assert column.labels is None
    assert np.diff(unpack({"x": column})["x"]).tolist() == [4_000]
