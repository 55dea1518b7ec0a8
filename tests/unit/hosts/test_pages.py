from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import FOLDED, UNKNOWN
from ebpftop.hosts.pages import Pages, Pool

NUMBERS = st.lists(st.one_of(st.integers(0, 20_000), st.just(UNKNOWN)), max_size=40)


@given(NUMBERS, NUMBERS)
def test_numbers_of_two_hosts_never_meet(one: list[int], other: list[int]) -> None:
    pool = Pool()
    hosts = [Pages(pool, (FOLDED, UNKNOWN)), Pages(pool, (FOLDED, UNKNOWN))]
    found = [host.all(np.array(numbers, np.uint32)).tolist() for host, numbers in zip(hosts, (one, other), strict=True)]
    kept = {FOLDED, UNKNOWN}
    assert not ({*found[0]} & {*found[1]}) - kept
    for host, numbers, ours in zip(hosts, (one, other), found, strict=True):
        assert ours == [host.one(number) for number in numbers]
        assert [number in kept for number in numbers] == [number in kept for number in ours]
        assert all(number < 1 << 32 for number in ours)
        assert [host.back(number) for number in ours if number not in kept] == [n for n in numbers if n not in kept]


def test_a_host_has_its_share_and_no_more() -> None:
    host = Pages(Pool())
    with pytest.raises(BadFrame, match="more processes or stacks"):
        host.all(np.arange(0, 1 << 32, 4096, dtype=np.uint32))


def test_a_number_of_another_host_is_none_of_its() -> None:
    pool = Pool()
    one, other = Pages(pool), Pages(pool)
    number = one.one(7)
    other.one(7)
    assert one.back(number) == 7
    assert other.back(number) is None
