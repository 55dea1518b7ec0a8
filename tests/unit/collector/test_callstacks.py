import errno
from collections.abc import Mapping

import numpy as np
import pytest

from ebpftop.collector.callstacks import NONE, StackNumbering
from ebpftop.collector.census import Census, Identity
from ebpftop.collector.functions import Functions
from ebpftop.frames.messages import Function
from ebpftop.handover.protocol import ProcessSymbols, SymbolRange, Symbols
from ebpftop.unwind.stack import Unwound

DEPTH = 127
TEXT = 0xFFFFFFFF81000000
KERNEL = {1: [TEXT + 0x10, TEXT + 0x110, TEXT + 0x210]}  # innermost first
USER = {2: [0x1000, 0x2001], 3: [0x1000] * DEPTH}


class StackMap:
    depth = DEPTH

    def __init__(self, stacks: Mapping[int, list[int]]) -> None:
        self._stacks = stacks

    def addresses(self, number: int) -> list[int]:
        return self._stacks.get(number, [])


class Alive(Census):
    """Processes that live until a test ends them."""

    def __init__(self, *numbers: int) -> None:
        super().__init__(lambda _: "")
        self.identities = {number: Identity(number, 1000 + number, 5) for number in numbers}

    def alive(self, number: int) -> Identity | None:
        return self.identities.get(number)


class Consumer:
    """All stacks as a consumer knows them."""

    def __init__(self, *identities: int) -> None:
        self.census = Alive(*identities)
        self.functions = Functions(self.census)
        self.stacks = StackNumbering(StackMap(KERNEL | USER), self.functions)
        self._known: dict[int, Function] = {}
        self._stacks: dict[int, list[int]] = {}

    def merge(self, identity: int, user: int | None, kernel: int | None) -> int:
        columns = (np.array([number], "<i4") if number is not None else None for number in (user, kernel))
        return int(self.stacks.merge(np.array([identity], "<u4"), *columns)[0])

    def of(self, number: int) -> list[Function]:
        if changes := self.functions.changes():
            self._known |= {function.id: function for function in changes.functions}
            self._stacks |= {stack.id: stack.functions for stack in changes.stacks}
        return [self._known[function] for function in self._stacks[number]]

    def names(self, number: int) -> list[str]:
        return [function.name for function in self.of(number)]


def ranges(*named: tuple[int, int, str]) -> list[SymbolRange]:
    return [SymbolRange(start=s, end=e, base=s, name=name, module="m") for s, e, name in named]


def answer(consumer: Consumer, kernel: list[SymbolRange], *processes: tuple[int, list[SymbolRange]]) -> None:
    assert consumer.functions.request(-3) is not None
    found = [ProcessSymbols(id=number, ranges=ranges) for number, ranges in processes]
    consumer.functions.learn(Symbols(kernel=kernel, processes=found))


def test_the_users_functions_come_before_the_kernels_outermost_first() -> None:
    consumer = Consumer(9)
    number = consumer.merge(9, 2, 1)
    assert [function.side for function in consumer.of(number)] == ["user"] * 2 + ["kernel"] * 3
    assert consumer.names(number) == [""] * 5
    answer(
        consumer,
        ranges(
            (TEXT, TEXT + 0x100, "inner"), (TEXT + 0x100, TEXT + 0x200, "middle"), (TEXT + 0x200, TEXT + 0x300, "sys")
        ),
        (9, ranges((0x1000, 0x1100, "leaf"), (0x2000, 0x2001, "main"))),  # main ends with the call: 0x2001 is behind it
    )
    assert consumer.names(number) == ["main", "leaf", "sys", "middle", "inner"]
    assert [function.offset for function in consumer.of(number)] == [0, 0, 0xF, 0xF, 0x10]


def test_equal_stacks_have_one_number_and_those_of_other_processes_another() -> None:
    consumer = Consumer(8, 9)
    both = consumer.stacks.merge(np.array([8, 9, 8], "<u4"), np.array([2, 2, 2], "<i4"), np.array([1, 1, 1], "<i4"))
    assert both[0] == both[2] != both[1]
    assert consumer.merge(8, 2, 1) == both[0]
    question = consumer.functions.request(-3)
    assert question is not None
    assert [(each.id, each.tgid, each.addresses) for each in question.processes] == [
        (8, 1008, [0x2000, 0x1000]),
        (9, 1009, [0x2000, 0x1000]),
    ]
    assert question.kernel == [TEXT + 0x20F, TEXT + 0x10F, TEXT + 0x10]


def test_what_lies_beside_a_known_address_is_named_without_asking() -> None:
    consumer = Consumer(9)
    consumer.functions.number(9, 0x1004)
    answer(consumer, [], (9, ranges((0x1000, 0x1100, "leaf"))))
    consumer.functions.number(9, 0x10FF)
    assert not consumer.functions.unrequested
    number = consumer.functions.stack([consumer.functions.number(9, 0x10FF)])
    assert [(each.name, each.offset) for each in consumer.of(number)] == [("leaf", 0xFF)]


@pytest.mark.parametrize(
    ("user", "kernel", "names"),
    [
        (NONE, 1, ["no user stack", "", "", ""]),
        (2, NONE, ["", ""]),
        (NONE, NONE, ["no user stack"]),
        (None, NONE, ["no stack"]),
        (-errno.EEXIST, 1, ["stack lost: its slot in the map is taken", "", "", ""]),
        (2, -errno.ENOMEM, ["", "", "stack lost: the map is full"]),
        (None, -errno.EINVAL, ["no stack: error 22"]),
        (77, NONE, ["stack not in the map"]),
        (3, NONE, ["stack too deep: more than 127 calls", *[""] * DEPTH]),
    ],
)
def test_what_is_missing_says_why(user: int | None, kernel: int | None, names: list[str]) -> None:
    consumer = Consumer(9)
    number = consumer.merge(9, user, kernel)
    assert consumer.names(number) == names
    assert {function.name for function in consumer.of(number) if function.side == "missing"} == set(names) - {""}


@pytest.mark.parametrize("program", ["bpf_prog_5a2b_on_switch", ""])
def test_the_program_that_took_a_stack_is_no_part_of_it(program: str) -> None:
    """The kernel need not tell the names of programs."""
    consumer = Consumer()
    number = consumer.stacks.merge(None, None, np.array([1], "<i4"))[0]
    named = ranges(
        *[(TEXT, TEXT + 0x100, program)][: len(program)],
        (TEXT + 0x100, TEXT + 0x200, "bpf_trace_run4"),
        (TEXT + 0x200, TEXT + 0x300, "__schedule"),
    )
    assert len(consumer.of(number)) == 3
    answer(consumer, named)
    assert consumer.names(number) == ["__schedule"]
    again = StackNumbering(StackMap({4: [TEXT + 1, TEXT + 0x101, TEXT + 0x201]}), consumer.functions)
    later = again.merge(None, None, np.array([4], "<i4"))[0]
    if not program:
        answer(consumer, named)
    assert consumer.names(later) == ["__schedule"]


def test_a_process_that_ended_is_not_asked_for_and_forgotten() -> None:
    consumer = Consumer(9)
    number = consumer.merge(9, 2, NONE)
    del consumer.census.identities[9]
    assert consumer.functions.request(-3) is None
    assert not consumer.functions.unrequested
    assert consumer.names(number) == ["", ""]
    consumer.functions.forget()
    assert consumer.merge(9, 2, NONE) == number


def test_a_process_that_starts_another_program_has_other_functions() -> None:
    consumer = Consumer(9)
    consumer.functions.number(9, 0x1004)
    answer(consumer, [], (9, ranges((0x1000, 0x1100, "before"))))
    consumer.census.identities[9].programs += 1
    number = consumer.functions.stack([consumer.functions.number(9, 0x1004)])
    assert consumer.names(number) == [""]
    answer(consumer, [], (9, ranges((0x1000, 0x1100, "after"))))
    assert consumer.names(number) == ["after"]


def test_without_an_answer_functions_stay_unnamed_and_are_not_asked_again() -> None:
    consumer = Consumer(9)
    number = consumer.merge(9, 2, 1)
    assert consumer.functions.request(-3) is not None
    assert consumer.functions.request(-3) is None
    consumer.functions.learn(None)
    assert not consumer.functions.unrequested
    assert consumer.functions.request(-3) is None
    assert consumer.names(number) == [""] * 5


def test_stacks_of_processes_that_are_forgotten_are_forgotten() -> None:
    consumer = Consumer(8, 9)
    kept, gone, kernels = consumer.merge(8, 2, 1), consumer.merge(9, 2, 1), consumer.merge(0, None, 1)
    consumer.stacks.forget({8})
    assert consumer.stacks.of({8, 9}) == {kept}
    assert (consumer.merge(8, 2, 1), consumer.merge(0, None, 1)) == (kept, kernels)
    assert consumer.merge(9, 2, 1) not in (gone, kept, kernels)


def test_functions_that_an_interpreter_runs_are_among_those_with_addresses() -> None:
    consumer = Consumer(1)
    place = -1 - consumer.functions.python("hot", "app/main.py", "/srv/app/main.py", 7)
    user = consumer.stacks.unwound.number(Unwound((0x1000, place, 0x2000), ""))
    number = consumer.merge(1, user, None)
    found = consumer.of(number)
    assert [each.side for each in found] == ["user", "python", "user"]
    assert (found[1].name, found[1].file, found[1].line) == ("hot", "/srv/app/main.py", 7)
    request = consumer.functions.request(-3)
    assert request is not None
    assert sorted(request.processes[0].addresses) == [0x1000, 0x2000]  # whose names are to be found


def test_places_in_python_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebpftop.collector.functions.MOST_ADDRESSES", 3)
    functions = Functions(Alive())
    numbers = {functions.python(f"f{line}", "m", "m", line) for line in range(1, 9)}
    assert len(numbers) == 4
    assert functions.python("f1", "m", "m", 1) in numbers
    unknown = functions.python("g", "m", "m", 1)
    changes = functions.changes()
    assert changes is not None
    assert next(each for each in changes.functions if each.id == unknown).name == ""
