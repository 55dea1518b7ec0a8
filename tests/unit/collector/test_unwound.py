"""What was unwound, as further rows of a map."""

import errno

import numpy as np
import pytest

from ebpftop.collector import unwound
from ebpftop.collector.maps import MapReader
from ebpftop.collector.unwound import FULL, UNWOUND, Tokens, UnwoundRows, UnwoundStacks
from ebpftop.unwind.stack import Unwound

KEY = np.dtype([("tgid", "<u4"), ("user", "<i4"), ("kernel", "<i4")])
VALUE = np.dtype([("value", "<u8")])
ONE, TWO = Unwound((1, 2), ""), Unwound((1, 2), "stack too deep: more than 16 KiB")


TOKEN = -(1 << 31) + 7


class Kernels(MapReader):
    """A map whose rows have 5 each; of the one that there is at first nothing is unwound."""

    def __init__(self, *rows: tuple[int, ...]) -> None:
        self.keys = np.array([*rows] or [(7, 3, -errno.EFAULT)], KEY)
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
    stacks.in_use.append(lambda: [second])
    stacks.tidy()
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
    rows.delete(keys[[0, 1]])
    assert kernels.deleted == [(7, 3, -errno.EFAULT), (8, one, 4)]
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
    rows.delete(keys[1:])
    assert rows.read()[0].tolist() == [(7, 3, -errno.EFAULT)]


def told(rows: UnwoundRows) -> dict[tuple[int, ...], int]:
    keys, values = rows.read()
    assert len({*keys.tolist()}) == len(keys)
    return dict(zip(keys.tolist(), values["value"].tolist(), strict=True))


def test_a_row_with_a_token_is_told_once_its_stack_is_unwound_with_others_of_that_stack() -> None:
    """As the kernel counts some of them under the number, and some under tokens."""
    stacks, tokens = UnwoundStacks(), Tokens()
    number = stacks.number(ONE)
    kernels = Kernels((7, TOKEN, 4), (7, 3, 4), (7, number, 4), (7, TOKEN + 1, 4), (8, TOKEN + 1, 4))
    rows = UnwoundRows(kernels, stacks, "user", tokens)
    assert told(rows) == {(7, 3, 4): 5, (7, number, 4): 5}
    for token in (TOKEN, TOKEN + 1):
        tokens.give(token, number)
    assert told(rows) == {(7, 3, 4): 5, (7, number, 4): 15, (8, number, 4): 5}
    rows.delete(np.array([(7, number, 4)], KEY))
    assert kernels.deleted == [(7, number, 4), (7, TOKEN, 4), (7, TOKEN + 1, 4)]
    assert stacks.get(number) == ONE  # of process 8, too


def test_a_token_whose_copy_is_lost_is_told_as_lost() -> None:
    tokens = Tokens()
    rows = UnwoundRows(Kernels((7, TOKEN, 4)), UnwoundStacks(), "user", tokens)
    assert told(rows) == {}
    assert told(rows) == {}  # its copy may still lie in the ring buffer
    tokens.all_taken = True
    assert told(rows) == {(7, FULL, 4): 5}
    for over, expected in ((False, {}), (True, {(7, FULL, 4): 5})):
        tokens = Tokens()
        tokens.over = over
        assert told(UnwoundRows(Kernels((7, TOKEN, 4)), UnwoundStacks(), "user", tokens)) == expected


@pytest.mark.parametrize("gauge", [False, True], ids=["counter", "gauge"])
def test_rows_with_tokens_make_room_in_the_kernels_map(monkeypatch: pytest.MonkeyPatch, gauge: bool) -> None:
    monkeypatch.setattr(unwound, "_MOST_OF_TOKENS", 1)
    stacks, tokens = UnwoundStacks(), Tokens()
    number = stacks.number(ONE)
    kernels = Kernels((7, TOKEN, 4), (7, TOKEN + 1, 4))
    tokens.give(TOKEN, number)
    rows = UnwoundRows(kernels, stacks, "user", tokens, gauge=gauge)
    before = told(rows)
    assert kernels.deleted == []  # it may change
    assert told(rows) == before == {(7, number, 4): 5}
    assert kernels.deleted == ([] if gauge else [(7, TOKEN, 4)])
    kernels.keys = kernels.keys[len(kernels.deleted) :]
    assert told(rows) == before
