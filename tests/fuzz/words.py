"""Words that inputs are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from hypothesis import strategies as st

from tests.support.hostile import RAW

LOOKUPS = defaultdict[str, Callable[[str], int]](lambda: lambda text: 7)  # what only a kernel knows
ODD = st.one_of(st.sampled_from(sorted(RAW.values())), st.binary(max_size=24))
WORD = st.one_of(st.sampled_from(sorted(RAW.values())), st.from_regex(rb"[ -~]{0,24}", fullmatch=True))


def lines_of(*kinds: st.SearchStrategy[bytes], end: bytes = b"\n") -> st.SearchStrategy[bytes]:
    """Some lines, each of one of these kinds."""
    return st.lists(st.one_of(*kinds), max_size=24).map(end.join)


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
