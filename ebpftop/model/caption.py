"""The mark whose text is shown at a moment of a tape."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ebpftop.frames.messages import Mark

LASTS = 15 * 10**9  # ns after the mark, unless another one comes before


def caption(marks: Sequence[Mark], moment: int) -> str:
    """The text of the last mark up to a moment (monotonic ns), "" if that is long ago.

    marks: in the order of time.
    """
    passed = bisect_right(marks, moment, key=lambda mark: mark.monotonic_ns)
    if not passed or moment - marks[passed - 1].monotonic_ns >= LASTS:
        return ""
    return marks[passed - 1].text
