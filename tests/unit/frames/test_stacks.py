import gc
import tracemalloc

import msgspec
import pytest

from ebpftop.base import bounds
from ebpftop.frames.messages import Function, Stack, Stacks
from ebpftop.frames.stacks import KnownStacks

MAIN = Function(id=7, side="user", name="main", module="/bin/app", offset=0x10)
READ = Function(id=3, side="kernel", name="ksys_read")


def names(known: KnownStacks, *numbers: int) -> list[list[str]]:
    return [[known.functions[place].name for place in places] for places in known.lookup(numbers)]


def test_stacks_are_functions_outermost_first() -> None:
    known = KnownStacks()
    known.take(Stacks(functions=[READ, MAIN], stacks=[Stack(id=5, functions=[7, 3]), Stack(id=6, functions=[7])]))
    assert names(known, 6, 5) == [["main"], ["main", "ksys_read"]]


def test_a_function_gets_a_better_name_later() -> None:
    known = KnownStacks()
    known.take(Stacks(functions=[Function(id=7, side="user")], stacks=[Stack(id=5, functions=[7])]))
    assert names(known, 5) == [[""]]
    known.take(Stacks(functions=[MAIN]))
    assert names(known, 5) == [["main"]]


def test_what_was_not_told_says_so() -> None:
    known = KnownStacks()
    known.take(Stacks(stacks=[Stack(id=5, functions=[7])]))
    assert names(known, 5, 6) == [["function no longer known"], ["stack no longer known"]]


def test_beyond_the_limit_the_stacks_told_last_stay() -> None:
    functions = [Function(id=number, side="user", name=f"f{number}") for number in range(12)]
    frames = [Stacks(functions=functions, stacks=[Stack(id=n, functions=[n, n + 7])]) for n in range(5)]
    whole = KnownStacks()
    whole.take(frames[0])
    known = KnownStacks(limit=whole.bytes)
    for frame in frames:
        known.take(frame)
    assert names(known, 4, 3, 0) == [["f4", "f11"], ["f3", "f10"], ["stack no longer known"]]
    assert known.bytes < known.limit


def test_all_that_is_known_can_be_told_again() -> None:
    known, again = KnownStacks(), KnownStacks()
    known.take(Stacks(functions=[MAIN, READ], stacks=[Stack(id=5, functions=[7, 3]), Stack(id=6, functions=[7])]))
    again.take(known.as_frame())
    assert names(again, 5, 6) == names(known, 5, 6)
    assert again.as_frame() == known.as_frame()


def test_functions_that_no_stack_names_are_forgotten_beyond_the_limit() -> None:
    known = KnownStacks(limit=5000)
    for number in range(0, 100, 5):
        new = [Function(id=number + n, side="user", name=f"f{number + n}") for n in range(5)]
        known.take(Stacks(functions=new, stacks=[Stack(id=number, functions=[number])]))
        assert known.bytes <= known.limit
        assert len(known.functions) < 15
    assert names(known, 95, 0) == [["f95"], ["stack no longer known"]]


@pytest.mark.parametrize(("depth", "length"), [(30, 10), (10, 1000)])
def test_sixteen_thousand_stacks_take_what_is_stated(depth: int, length: int) -> None:
    known = KnownStacks()
    gc.collect()
    tracemalloc.start()
    for number in range(16_384):
        new = [Function(id=2 * number + n, side="user", name=f"{number}{'x' * length}", offset=1000) for n in range(2)]
        used = [(7 * number + n) % (2 * number + 2) for n in range(depth)]
        frame = msgspec.msgpack.encode(Stacks(functions=new, stacks=[Stack(id=number, functions=used)]))
        del new, used
        known.take(msgspec.msgpack.decode(frame, type=Stacks))
        assert known.bytes <= bounds.STACKS
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert names(known, 16_383)[0][0] != "stack no longer known"
    assert taken <= 1.05 * bounds.STACKS
    assert taken <= 1.25 * known.bytes
