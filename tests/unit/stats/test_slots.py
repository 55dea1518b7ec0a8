import numpy as np
import pytest

from ebpftop.stats.slots import LIMIT, SLOTS, K, bounds, bounds_of, checked, lower, slot_of


def kernel_slot(v: int) -> int:
    """The probes' C, statement by statement."""
    x, e = v, 0
    for limit, width in ((0xFFFFFFFF, 5), (0xFFFF, 4), (0xFF, 3), (0xF, 2), (0x3, 1)):
        s = int(x > limit) << width
        x >>= s
        e |= s
    e |= x >> 1
    if e < K:
        return v
    s = e - K
    return (s << K) + (v >> s)


EDGES = sorted({0, 1, 2, 3, LIMIT - 1, *(max(0, (1 << bit) + step) for bit in range(1, 64) for step in (-1, 0, 1))})


@pytest.mark.parametrize("value", [*range(70), *EDGES, 1234567890123456789])
def test_a_value_gets_the_kernels_slot_and_lies_in_its_bounds(value: int) -> None:
    slot = slot_of(value)
    assert slot == kernel_slot(value)
    lo, hi = bounds(slot)
    assert lo <= value < hi


def test_slots_adjoin_without_a_gap_from_0_to_all_of_u64() -> None:
    assert SLOTS == 496
    assert slot_of(LIMIT - 1) == SLOTS - 1
    assert lower(0) == 0
    assert lower(SLOTS) == LIMIT
    assert all(bounds(slot)[1] == bounds(slot + 1)[0] for slot in range(SLOTS - 1))
    assert [lower(slot) for slot in (15, 16, 17, 24, 25)] == [15, 16, 18, 32, 36]


def test_a_slot_is_at_most_an_eighth_of_its_lower_bound_wide() -> None:
    assert max((hi - lo) / lo for lo, hi in map(bounds, range(16, SLOTS))) == 0.125


def test_with_no_split_slots_are_powers_of_two() -> None:
    assert [bounds(slot, 0) for slot in range(5)] == [(0, 1), (1, 2), (2, 4), (4, 8), (8, 16)]
    assert [slot_of(value, 0) for value in (0, 1, 2, 3, 4, 7, 8)] == [0, 1, 2, 2, 3, 3, 4]


def test_arrays_have_the_same_bounds_but_for_the_end_of_u64() -> None:
    lo, hi = bounds_of(np.arange(SLOTS))
    assert list(zip(lo.tolist(), hi.tolist(), strict=True))[:-1] == [bounds(slot) for slot in range(SLOTS - 1)]
    assert (int(lo[-1]), int(hi[-1])) == (15 << 60, LIMIT - 1)


@pytest.mark.parametrize("value", [-1, LIMIT])
def test_only_u64_has_a_slot(value: int) -> None:
    with pytest.raises(ValueError, match="u64"):
        slot_of(value)


@pytest.mark.parametrize("slots", [[0, SLOTS], [-1, 3]])
def test_slots_that_cannot_be_are_refused(slots: list[int]) -> None:
    with pytest.raises(ValueError, match="not within 0 to 495"):
        checked(slots)
