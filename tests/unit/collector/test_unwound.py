"""What was unwound, as further rows of a map."""

import errno

import numpy as np
import pytest

from ebpftop.collector import unwound
from ebpftop.collector.maps import MapReader
from ebpftop.collector.unwound import FULL, UNWOUND, UnwoundRows, UnwoundStacks
from ebpftop.unwind.stack import Unwound

KEY = np.dtype([("tgid", "<u4"), ("user", "<i4"), ("kernel", "<i4")])
VALUE = np.dtype([("value", "<u8")])
ONE, TWO = Unwound((1, 2), ""), Unwound((1, 2), "stack too deep: more than 16 KiB")


class Kernels(MapReader):
    """A map with one row, of which nothing is unwound."""

    def __init__(self) -> None:
        self.keys = np.array([(7, 3, -errno.EFAULT)], KEY)
        self.deleted: list[tuple[int, ...]] = []

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        return self.keys, np.full(len(self.keys), 5).astype(VALUE)

    def delete(self, keys: np.ndarray) -> int:
        self.deleted += keys.tolist()
        return len(keys)


def test_a_stack_has_one_number_which_is_none_of_the_kernels() -> None:
    stacks = UnwoundStacks()
    first, second = stacks.number(ONE), stacks.number(TWO)
    assert first != second
    assert stacks.number(Unwound((1, 2), "")) == first >= UNWOUND
    assert (stacks.get(first), stacks.get(3), stacks.get(-17)) == (ONE, None, None)


def test_a_number_never_stands_for_another_stack() -> None:
    stacks = UnwoundStacks()
    first, second = stacks.number(ONE), stacks.number(TWO)
    stacks.keep([second])
    assert stacks.get(first) is None
    assert stacks.number(ONE) not in (first, second)


def test_rows_are_read_and_deleted_like_the_kernels() -> None:
    stacks, kernels = UnwoundStacks(), Kernels()
    rows = UnwoundRows(kernels, stacks, "user")
    assert rows.read()[0].tolist() == [(7, 3, -errno.EFAULT)]
    one, two = stacks.number(ONE), stacks.number(TWO)
    for user, value in ((one, 1), (two, 2), (one, 3)):
        rows.add((8, user, 4), value)
    keys, values = rows.read()
    counted = dict(zip(keys.tolist(), values["value"].tolist(), strict=True))
    assert counted == {(7, 3, -errno.EFAULT): 5, (8, one, 4): 4, (8, two, 4): 2}
    assert rows.delete(keys[[0, 1]]) == 2
    assert kernels.deleted == [(7, 3, -errno.EFAULT)]
    assert rows.read()[0].tolist() == [(7, 3, -errno.EFAULT), (8, two, 4)]
    assert (stacks.get(one), stacks.get(two)) == (None, TWO)


def test_what_is_kept_is_bounded_and_what_is_not_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unwound, "MOST", 2)
    stacks = UnwoundStacks()
    numbers = [stacks.number(Unwound((place,), "")) for place in range(3)]
    assert numbers[2] == FULL < 0
    rows = UnwoundRows(Kernels(), stacks, "user")
    for user in (numbers[0], numbers[2], numbers[1], numbers[2]):
        rows.add((8, user, 4), 1)
    assert rows.lost == 1
    keys, values = rows.read()
    assert dict(zip(keys.tolist(), values["value"].tolist(), strict=True))[8, FULL, 4] == 2
    assert rows.delete(keys[1:]) == 2
