"""Aligns due times so that much is done at once: a wake-up, here and in the consumer, costs more than a reading."""

from __future__ import annotations

from collections.abc import Iterable


def first(now: float, interval: float, others: Iterable[tuple[float, float]]) -> float:
    """When a job with a period of `interval` seconds is due for the first time.

    others: interval and next time of the existing jobs. The job joins one with the same interval, and so is first due
    after half an interval at the earliest and one and a half at the latest.
    """
    joined = next((at for every, at in others if every == interval and at > now), now + interval)
    return joined if joined - now >= interval / 2 else joined + interval


def following(due: float, interval: float, now: float) -> float:
    """When it is due next. A late job continues from now and doesn't catch up."""
    return max(due + interval, now + interval / 2)
