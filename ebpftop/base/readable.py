"""Waiting for descriptors of any number: select(2), and so `select.select`, takes none above 1,023."""

from __future__ import annotations

import math
import select
from collections.abc import Iterable


def readable(descriptors: Iterable[int], seconds: float | None = None) -> list[int]:
    """Those that can be read without waiting, their end and their errors included; waits for the first of them, at most
    so many seconds.
    """
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [number for number, _ in poll.poll(None if seconds is None else math.ceil(seconds * 1000))]
