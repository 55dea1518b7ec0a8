import pytest

from ebpftop.frames import stacks
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
    assert names(known, 5, 6) == [["function not known"], ["stack not known"]]


def test_beyond_the_limit_the_stacks_told_last_stay() -> None:
    known = KnownStacks(limit=8)
    functions = [Function(id=number, side="user", name=f"f{number}") for number in range(12)]
    for number in range(5):
        known.take(Stacks(functions=functions, stacks=[Stack(id=number, functions=[number, number + 7])]))
    assert names(known, 4, 3, 0) == [["f4", "f11"], ["f3", "f10"], ["stack not known"]]
    assert {each.name for each in known.functions} == {"stack not known", "f4", "f11", "f3", "f10"}


def test_all_that_is_known_can_be_told_again() -> None:
    known, again = KnownStacks(), KnownStacks()
    known.take(Stacks(functions=[MAIN, READ], stacks=[Stack(id=5, functions=[7, 3]), Stack(id=6, functions=[7])]))
    again.take(known.as_frame())
    assert names(again, 5, 6) == names(known, 5, 6)
    assert again.as_frame() == known.as_frame()


def test_functions_that_no_stack_names_are_forgotten_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "FUNCTIONS", 10)
    known = KnownStacks()
    for number in range(0, 100, 5):
        new = [Function(id=number + n, side="user", name=f"f{number + n}") for n in range(5)]
        known.take(Stacks(functions=new, stacks=[Stack(id=number, functions=[number])]))
        assert len(known.functions) <= 11
    assert names(known, 95, 0) == [["f95"], ["stack not known"]]
