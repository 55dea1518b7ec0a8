"""Stacks that the kernel is told, in a map of the running kernel's kind that a test stands in for."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ebpftop.collector import known
from ebpftop.collector.known import WAYS, KnownStacks, added_up
from ebpftop.collector.layout import dtype
from ebpftop.frames.layout import KNOWN, KNOWN_PLACE, Field, MapLayout, Record
from ebpftop.kernel import libbpf

DEPTH, MOST = 6, 5
IP, SP, PYTHON, TGID = 0x401000, 0x7FFF_0000, 0, 7
PROGRAM = 0x7FFF_1000, 9
WORDS = memoryview(np.arange(100, 120, dtype="<u8")).cast("B").cast("Q")


def record(fields: tuple[tuple[str, str, int], ...], **last: int) -> Record:
    made, at = [], 0
    for name, kind, count in (*fields, *((name, "<u2", count) for name, count in last.items())):
        made.append(Field(name, kind, at, count))
        at += np.dtype(kind).itemsize * count
    return Record(-(-at // 8) * 8, made)


def layout(last: str = "<u2") -> MapLayout:
    value = record(KNOWN, at=DEPTH)
    value.fields[-1] = Field("at", last, value.fields[-1].offset, DEPTH)
    return MapLayout(name="stacks_known", kind=1, max_entries=MOST, key=record(KNOWN_PLACE), value=value)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[int, ...], tuple[Any, ...]]:
    """What is in the map: values by keys."""
    found: dict[tuple[int, ...], tuple[Any, ...]] = {}

    def read(at: ctypes.c_void_p, of: Record) -> tuple[Any, ...]:
        assert at.value is not None
        row: tuple[Any, ...] = np.frombuffer(ctypes.string_at(at.value, of.size), dtype(of))[0].tolist()
        return row

    def update(_: int, key: ctypes.c_void_p, value: ctypes.c_void_p, __: int) -> None:
        found[read(key, layout().key)] = read(value, layout().value)

    def delete(_: int, key: ctypes.c_void_p) -> None:
        del found[read(key, layout().key)]

    functions = SimpleNamespace(bpf_map_update_elem=update, bpf_map_delete_elem=delete)
    monkeypatch.setattr(libbpf, "library", lambda: functions)
    return found


def test_the_kernel_finds_a_stack_by_its_registers_and_its_return_addresses(
    there: dict[tuple[int, ...], tuple[Any, ...]],
) -> None:
    KnownStacks(3, layout()).add((IP, SP, PYTHON, TGID), PROGRAM, [2, 5, 9], WORDS, 11)
    (key, value), *others = there.items()
    assert (key, others) == ((IP, SP, PYTHON, TGID, 0), [])
    *program, total, number, depth, at = value
    assert (tuple(program), number, depth, [*at]) == (PROGRAM, 11, 3, [2, 5, 9, 0, 0, 0])
    assert total == added_up([102, 105, 109]) != added_up([105, 102, 109])


def test_what_they_add_up_to_is_what_the_c_adds_up() -> None:
    """`mixed()`: a multiplication by an odd number loses nothing, so that every word counts."""
    assert added_up([]) == 0
    assert added_up([1]) == 0x9E3779B97F4A7C15 ^ 0x9E3779B97F4A7C15 >> 29
    assert added_up([(1 << 64) - 1, 3]) < 1 << 64


def test_some_stacks_with_the_same_registers_have_room(there: dict[tuple[int, ...], tuple[Any, ...]]) -> None:
    stacks = KnownStacks(3, layout())
    for number in (*range(WAYS), 2, *range(WAYS)):
        stacks.add((IP, SP, PYTHON, TGID), PROGRAM, [number], WORDS, number)
    assert {key[4]: value[3] for key, value in there.items()} == {way: way for way in range(WAYS)}
    stacks.add((IP, SP, PYTHON, TGID), PROGRAM, [WAYS], WORDS, WAYS)
    assert len(there) == WAYS  # in the place of another one
    assert WAYS in stacks.numbers()


def test_the_oldest_make_room(there: dict[tuple[int, ...], tuple[Any, ...]]) -> None:
    stacks = KnownStacks(3, layout())
    for number in range(MOST + 2):
        stacks.add((IP + number, SP, PYTHON, TGID), PROGRAM, [1], WORDS, number)
    assert {value[3] for value in there.values()} == stacks.numbers() == {*range(2, MOST + 2)}


@pytest.mark.parametrize("at", [[-1], [len(WORDS)], [1] * (DEPTH + 1)], ids=["elsewhere", "not copied", "too deep"])
def test_one_that_the_kernel_could_not_look_at_is_not_told(
    there: dict[tuple[int, ...], tuple[Any, ...]], at: list[int]
) -> None:
    KnownStacks(3, layout()).add((IP, SP, PYTHON, TGID), PROGRAM, at, WORDS, 11)
    assert there == {}


def test_another_map_is_refused() -> None:
    assert known.__doc__ is not None
    with pytest.raises(ValueError, match="something other"):
        KnownStacks(3, layout("<u4"))
