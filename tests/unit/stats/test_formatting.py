import math

import numpy as np
import pytest

from ebpftop.stats import formatting
from ebpftop.stats.slots import SLOTS
from ebpftop.stats.slots import bounds as slot_bounds


@pytest.mark.parametrize(
    ("ns", "said"),
    [
        (0, "0 ns"), (999, "999 ns"), (1000, "1 µs"), (51_234, "51.2 µs"), (999_400, "999 µs"), (999_600, "1 ms"),
        (2_034_000, "2.03 ms"), (59.96e9, "60 s"), (90e9, "1.5 min"), (9000e9, "2.5 h"), (2.5 * 86400e9, "2.5 d"),
        (np.uint64(1_204), "1.2 µs"), (-1500, "-1.5 µs"), (None, "–"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_durations(ns: float | None, said: str) -> None:
    assert formatting.duration(ns) == said


@pytest.mark.parametrize(
    ("n", "said"),
    [(0, "0 B"), (1023, "1 023 B"), (1024, "1 KiB"), (1024**2 - 1, "1 MiB"), (3.6 * 1024**2, "3.6 MiB"),
     (2**64, "16 EiB")],
)  # fmt: skip
def test_bytes(n: float, said: str) -> None:
    assert formatting.bytes_(n) == said


@pytest.mark.parametrize(
    ("n", "said"),
    [(23, "23"), (1904, "1 904"), (999_999, "999 999"), (999_999.7, "1 M"), (1_234_567, "1.23 M"), (3.6, "3.6"),
     (0.0456, "0.0456"), (0.0001, "<0.001"), (99.96, "100"), (-4, "-4"), (2**64, "18.4 E"), (math.inf, "–"),
     (np.uint64(7), "7"), (math.nan, "–"), (None, "–")],
)  # fmt: skip
def test_counts(n: float | None, said: str) -> None:
    assert formatting.count(n) == said


def test_percent_and_rates() -> None:
    assert [formatting.percent(n) for n in (43, 0.42, 100, None)] == ["43%", "0.42%", "100%", "–"]
    assert [formatting.rate(n) for n in (830, 3604, 0.5, math.nan)] == ["830/s", "3.6 k/s", "0.5/s", "–"]
    assert formatting.rate(51_000, "ns") == "51 µs/s"
    assert formatting.rate(2**20, "bytes") == "1 MiB/s"


def test_cpu_time_is_a_time_in_total_and_a_share_of_one_cpu_by_the_second() -> None:
    used = [0, 487_000_000, 1_000_000_000, 1_920_000_000, None, math.nan]
    assert [formatting.rate(n, "cpu_ns") for n in used] == ["0%", "48.7%", "100%", "192%", "–", "–"]
    assert [formatting.value(n, "cpu_ns") for n in used[1:4]] == ["487 ms", "1 s", "1.92 s"]


def test_a_value_in_the_manifests_unit() -> None:
    said = [formatting.value(1904, unit) for unit in ("", "count", "ns", "bytes", "pages", "percent", "furlongs")]
    assert said == ["1 904", "1 904", "1.9 µs", "1.86 KiB", "1 904 pages", "1 904%", "1 904 furlongs"]
    assert formatting.value(None, "ns") == "–"


@pytest.mark.parametrize(
    ("lo", "hi", "unit", "said"),
    [
        (3, 4, "ns", "3 ns"), (8, 16, "", "8–16"), (49_152, 57_344, "ns", "49–57 µs"), (0, 8192, "bytes", "0–8 KiB"),
        (983_040, 1_048_576, "ns", "983 µs–1 ms"), (1_060_000, 1_131_000, "ns", "1.06–1.13 ms"),
        (40, 45, "percent", "40–45%"), (4, 8, "pages", "4–8 pages"), (4096, 8192, "count", "4.1–8.2 k"),
        (896, 1024, "", "896–1 k"),
    ],
)  # fmt: skip
def test_bounds(lo: int, hi: int, unit: str, said: str) -> None:
    assert formatting.bounds(lo, hi, unit) == said


@pytest.mark.parametrize("unit", ["", "ns", "bytes"])
def test_both_ends_of_every_slot_differ(unit: str) -> None:
    for slot in range(16, SLOTS):
        low, _, high = formatting.bounds(*slot_bounds(slot), unit).partition("–")
        assert low != high
        assert low.split()[0] != high.split()[0] or " " in low


def test_a_moment_that_is_none_stays_a_number() -> None:
    assert formatting.clock(1_700_000_000_123_000_000).endswith(":20.123")
    assert formatting.clock(2**64 - 1 << 20) == str(2**64 - 1 << 20)
    assert formatting.clock(math.nan) == "nan"


def test_a_ring_buffers_use() -> None:
    assert formatting.ring(16 << 20, 133_120) == "16 MiB, 0.793% used at most"
    assert formatting.ring(4 << 20, 4 << 20) == "4 MiB, 100% used at most"


def test_many_moments_are_written_as_each_alone() -> None:
    moments = [1_700_000_000_123_000_000, 1_700_000_000_999_999_999, 1_700_000_001_000_000_000, 7, 2_000_000_000_000]
    assert formatting.clocks(moments) == [formatting.clock(moment) for moment in moments]


def test_a_noun_for_one_and_for_several() -> None:
    assert [formatting.plural(n, "row") for n in (0, 1, 1904)] == ["0 rows", "1 row", "1 904 rows"]
