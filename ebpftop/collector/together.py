"""When things are due, so that much is done at once: a wake-up, here and in the consumer, costs more than a reading."""

from __future__ import annotations

from collections.abc import Iterable


def first(now: float, interval: float, others: Iterable[tuple[float, float]]) -> float:
    """When something that is to be done every `interval` seconds is due for the first time.

    others: interval and next time of what is done already. It joins one of the same interval, and so it is due after
    half an interval at the earliest and one and a half at the latest.
    """
    joined = next((at for every, at in others if every == interval and at > now), now + interval)
    return joined if joined - now >= interval / 2 else joined + interval


def following(due: float, interval: float, now: float) -> float:
    """When it is due after that. What is late goes on from now, and doesn't catch up."""
    return max(due + interval, now + interval / 2)
