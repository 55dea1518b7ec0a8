"""Which mark of a tape is shown when."""

from __future__ import annotations

import pytest

from ebpftop.model.caption import LASTS, caption
from tests.support.frames import SECOND, mark

MARKS = [mark("first", 10), mark("second", 14), mark("third", 60)]
FIRST = MARKS[0].monotonic_ns


@pytest.mark.parametrize(
    ("after", "text"),
    [
        (-1, ""),
        (0, "first"),
        (4 * SECOND - 1, "first"),
        (4 * SECOND, "second"),
        (4 * SECOND + LASTS - 1, "second"),
        (4 * SECOND + LASTS, ""),
        (50 * SECOND - 1, ""),
        (50 * SECOND, "third"),
    ],
)
def test_the_last_mark_is_shown_for_a_while(after: int, text: str) -> None:
    assert caption(MARKS, FIRST + after) == text


def test_no_marks() -> None:
    assert caption([], FIRST) == ""
