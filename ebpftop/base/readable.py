"""Waits for descriptors of any number: select(2), and so `select.select`, accepts none above 1,023."""

from __future__ import annotations

import math
import select
from collections.abc import Iterable


def readable(descriptors: Iterable[int], seconds: float | None = None) -> list[int]:
    """The descriptors that can be read without blocking, including those at their end or with an error. Waits for the
    first of them, for at most this many seconds.
    """
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [number for number, _ in poll.poll(None if seconds is None else math.ceil(seconds * 1000))]
