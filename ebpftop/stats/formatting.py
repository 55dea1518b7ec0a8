"""Formats numbers for people: at most three significant digits, whole counts with grouped digits, a unit.

Units are those of a manifest: "" and "count" (plain numbers), "ns", "cpu_ns" (ns spent on a CPU), "bytes", "pages",
"percent". An unknown number (None, NaN, infinity) is "–".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

Number = int | float
_Scale = tuple[tuple[str, float], ...]

NS = 1_000_000_000  # in a second

_UNKNOWN = "–"
_TIME: _Scale = (("ns", 1), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("min", 60e9), ("h", 3600e9), ("d", 86400e9))
_BYTES: _Scale = tuple(
    (unit, 1024.0**power) for power, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"))
)
_PLAIN: _Scale = (("", 1), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15), ("E", 1e18))
_WHOLE_BELOW = 1_000_000  # a count is exact up to here


KEPT = 4096  # cached texts of recent numbers: most are formatted again a second later


@lru_cache(KEPT)
def duration(ns: Number | None) -> str:
    """`51 µs`, `1.13 ms`, `2.5 h`."""
    return _scaled(ns, _TIME)


@lru_cache(KEPT)
def bytes_(n: Number | None) -> str:
    """`512 B`, `3.6 MiB`."""
    return _scaled(n, _BYTES)


@lru_cache(KEPT)
def count(n: Number | None) -> str:
    """`23`, `1 904`, `1.23 M`; fractions as `3.6`."""
    if n is None or not math.isfinite(n):
        return _UNKNOWN
    if 100 <= abs(n) < _WHOLE_BELOW - 0.5:
        return f"{round(n):,}".replace(",", " ")
    return _scaled(n, _PLAIN)


def percent(n: Number | None) -> str:
    """`43%`, `0.4%`."""
    return _UNKNOWN if n is None or not math.isfinite(n) else _digits(n, 3) + "%"


@lru_cache(KEPT)
def rate(n: Number | None, unit: str = "") -> str:
    """Per second: `830/s`, `3.6 k/s`, `51 µs/s`, `3.6 MiB/s`; time on a CPU is a share of one CPU, `48.7%`."""
    if n is None or not math.isfinite(n):
        return _UNKNOWN
    if unit == "cpu_ns":
        return percent(100 * n / NS)
    return _scaled(n, _SCALES.get(unit, _PLAIN)) + "/s"


@lru_cache(KEPT)
def value(n: Number | None, unit: str = "") -> str:
    """A number in a manifest's unit; an unknown unit is appended to it."""
    if n is None or not math.isfinite(n):
        return _UNKNOWN
    scale = _SCALES.get(unit)
    return _scaled(n, scale) if scale else count(n) + _suffix(unit)


def plural(n: int, noun: str) -> str:
    """`1 row`, `1 904 rows`."""
    return f"{count(n)} {noun}{'' if n == 1 else 's'}"


def ring(size: int, most: int) -> str:
    """`16 MiB, 0.796% used at most`: a ring buffer's size in bytes, and the most that ever waited in it."""
    return f"{value(size, 'bytes')}, {percent(100 * most / size)} used at most"


def clock(realtime_ns: Number) -> str:
    """`08:33:46.180` in local time, from ns since 1970; a number that isn't a plausible time is returned as a
    number.
    """
    if not NS <= realtime_ns < NS << 35:
        return str(realtime_ns)
    seconds, rest = divmod(realtime_ns, NS)
    return f"{datetime.fromtimestamp(seconds):%H:%M:%S}.{int(rest) // 1_000_000:03}"


def clocks(realtimes_ns: Sequence[Number]) -> list[str]:
    """`clock` for many moments, most of them within the same few seconds."""
    seconds: dict[int, str] = {}
    texts = []
    for moment in realtimes_ns:
        second, rest = divmod(int(moment), NS)
        text = seconds.get(second)
        if text is None:
            text = seconds[second] = clock(second * NS).removesuffix("000")
        texts.append(f"{text}{rest // 1_000_000:03}" if text.endswith(".") else clock(moment))
    return texts


@lru_cache(KEPT)
def bounds(lo: Number, hi: Number, unit: str = "") -> str:
    """A bucket lo <= v < hi: `51–57 µs`, `983 µs–1 ms`, and `3 ns` if it contains a single whole number.

    Two digits if they distinguish the ends: the precision of values in a bucket is its width.
    """
    if hi == lo + 1:
        return value(lo, unit)
    scale = _SCALES.get(unit, _PLAIN)
    low, high = _split(lo, scale, 2), _split(hi, scale, 2)
    if low == high:
        low, high = _split(lo, scale, 3), _split(hi, scale, 3)
    first = low[0] if low[1] == high[1] or lo == 0 else _joined(low)
    return f"{first}–{_joined(high)}" + ("" if unit in _SCALES else _suffix(unit))


def _suffix(unit: str) -> str:
    return {"": "", "count": "", "percent": "%"}.get(unit, f" {unit}")


def _scaled(n: Number | None, scale: _Scale) -> str:
    return _UNKNOWN if n is None or not math.isfinite(n) else _joined(_split(n, scale, 3))


def _joined(parts: tuple[str, str]) -> str:
    return " ".join(parts).rstrip()


def _split(n: Number, scale: _Scale, digits: int) -> tuple[str, str]:
    """The number in the largest unit that it reaches after rounding, and that unit."""
    unit, size = max((step for step in scale if _rounded(n / step[1], digits) >= 1), key=_size, default=scale[0])
    return _digits(n / size, digits), unit


def _size(step: tuple[str, float]) -> float:
    return step[1]


def _rounded(n: Number, digits: int) -> float:
    """The magnitude with this many significant digits."""
    n = abs(n)
    return round(n, digits - 1 - math.floor(math.log10(n))) if n else 0


def _digits(n: Number, digits: int) -> str:
    """At most this many significant digits, but all digits of whole numbers; no exponent, no trailing zeros, thousands
    apart.
    """
    if 0 < abs(n) < 0.001:
        return "<0.001"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(n)))) if n else 0
    text = f"{n:,.{decimals}f}".replace(",", " ")
    return text.rstrip("0").rstrip(".") if decimals else text


_SCALES: dict[str, _Scale] = {"ns": _TIME, "cpu_ns": _TIME, "bytes": _BYTES}
