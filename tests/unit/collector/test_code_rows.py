"""Counts by call stack, while other code takes the place of what was there."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest

from ebpftop.collector.callstacks import NONE, StackNumbering
from ebpftop.collector.census import Census, Identity
from ebpftop.collector.code_rows import CodeRows
from ebpftop.collector.decode import Context
from ebpftop.collector.departed import Departed
from ebpftop.collector.functions import Functions
from ebpftop.collector.layout import dtype
from ebpftop.frames.columns import Array
from ebpftop.frames.layout import Field, MapLayout, Record
from ebpftop.frames.messages import ColumnInfo, Function, ViewInfo
from ebpftop.handover.protocol import Addresses, ProcessSymbols, SymbolRange, Symbols

LAYOUT = MapLayout(
    name="samples",
    kind=1,
    max_entries=64,
    key=Record(12, [Field("tgid", "<u4", 0), Field("user", "<i4", 4), Field("kernel", "<i4", 8)]),
    value=Record(8, [Field("value", "<u8", 0)]),
)
VIEW = ViewInfo(
    name="samples",
    map="samples",
    show="stacks",
    title="",
    by=["tgid"],
    count="samples",
    columns=[ColumnInfo(field="tgid", title="process", decode="process")],
    stacks="stacks",
    user="user",
    kernel="kernel",
)
PLUGIN, MAIN = 0x7000, 0x1000
STACKS = {1: [PLUGIN, MAIN + 1], 2: [MAIN], 3: [PLUGIN + 8, MAIN + 1]}  # innermost first


class Stacks:
    depth = 127

    def addresses(self, number: int) -> list[int]:
        return STACKS[number]


class Kernel:
    """The kernel's map."""

    def __init__(self) -> None:
        self.counts: dict[tuple[int, int, int], int] = {}

    def read(self) -> tuple[Array, Array]:
        keys = np.array([*self.counts], dtype(LAYOUT.key))
        return keys, np.array([(count,) for count in self.counts.values()], dtype(LAYOUT.value))

    def delete(self, keys: Array) -> int:
        for key in keys.tolist():
            del self.counts[key]
        return len(keys)


class Processes(Census):
    """A process has ten times its pid as identity, and lives until a test ends it."""

    def __init__(self) -> None:
        super().__init__(lambda _: "")
        self.lives: dict[int, Identity] = {}
        self.dead: set[int] = set()
        self.offset = 0

    def numbers(self, tgids: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        return (tgids * 10 + self.offset).astype("<u4")

    def alive(self, number: int) -> Identity | None:
        return None if number in self.dead else self.lives.setdefault(number, Identity(number, number // 10, 5))

    def ended(self, numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        return np.isin(numbers, list(self.dead))


class Traced:
    """A map of stacks, the names of its code as root would tell them, and what a consumer is shown."""

    def __init__(self, *, departed: bool = False) -> None:
        self.kernel, self.census = Kernel(), Processes()
        self.functions = Functions(self.census, Departed(self.census) if departed else None)
        stacks = StackNumbering(Stacks(), self.functions)
        self.rows = CodeRows(3, LAYOUT, [VIEW], self.census, Context(), stacks, self.functions, "tgid")
        self.rows.reader = self.kernel
        self.mapped = {PLUGIN: ("a.so", "alpha"), MAIN: ("program", "main")}  # what is where, in pages
        self.perf_map = ""
        self._known: dict[int, Function] = {}
        self._paths: dict[int, list[int]] = {}
        self.requests = 0

    def count(self, stack: int, samples: int, tgid: int = 1, kernel: int = NONE) -> None:
        key = tgid, stack, kernel
        self.kernel.counts[key] = self.kernel.counts.get(key, 0) + samples

    def check(self, *, names: bool = True) -> None:
        """Look, ask root, and learn; then look again if there was other code."""
        self.rows.look()
        request = self.functions.request(-3, names=names)
        if request is None:
            return
        self.requests += 1
        self.rows.asked()
        self.learn([self._answer(each, names) for each in request.processes])

    def learn(self, processes: list[ProcessSymbols]) -> None:
        change = self.functions.learn(Symbols(kernel=[], processes=processes))
        if change:
            self.rows.divide(self.rows.stacks.renew(change))
        if not self.functions.doubtful:
            self.rows.sure()
        self.shown()
        if change:
            self.rows.look()

    def _answer(self, asked: Addresses, names: bool) -> ProcessSymbols:
        again = [
            address
            for mapped, addresses in asked.known.items()
            for address in addresses
            if self._mapped(address) != mapped or (not mapped and asked.perf_map != self.perf_map)
        ]
        ranges = [found for at in ({*asked.addresses} if names else set()) | {*again} if (found := self._range(at))]
        mapped = {} if names else {self._mapped(at): [at] for at in asked.addresses}
        return ProcessSymbols(id=asked.id, ranges=ranges, again=again, mapped=mapped, perf_map=self.perf_map)

    def _mapped(self, address: int) -> str:
        return self.mapped.get(address & ~0xFFF, ("-", ""))[0]

    def _range(self, address: int) -> SymbolRange | None:
        page = address & ~0xFFF
        if page not in self.mapped:
            return None
        mapped, name = self.mapped[page]
        end = page + 0x1000 if name else address + 1
        return SymbolRange(start=page if name else address, end=end, base=page, name=name, module="m", mapped=mapped)

    def shown(self) -> Counter[str]:
        """Samples by the stack they are shown with, and the process where it isn't the first."""
        columns = self.rows.columns()
        if (changes := self.functions.changes()) is not None:
            self._known |= {function.id: function for function in changes.functions}
            self._paths |= {stack.id: stack.functions for stack in changes.stacks}
        tgids, stacks, samples = (
            np.frombuffer(columns[name].data, columns[name].dtype).tolist() for name in ("tgid", "stack", "samples")
        )
        shown: Counter[str] = Counter()
        for tgid, stack, count in zip(tgids, stacks, samples, strict=True):
            assert count > 0
            path = ";".join(self._known[number].name or "?" for number in self._paths[stack])
            shown[path if tgid == 10 else f"{tgid}:{path}"] += count
        return shown


def test_code_that_stays_keeps_its_rows_and_is_looked_up_once() -> None:
    traced = Traced()
    for _ in range(3):
        traced.count(1, 10)
        traced.check()
    assert traced.shown() == {"main;alpha": 30}
    assert traced.requests == 3
    traced.check()
    assert traced.requests == 3  # nothing ran since


def test_a_library_where_another_was_has_its_own_samples() -> None:
    traced = Traced()
    traced.count(1, 10)
    traced.count(2, 1)
    traced.check()
    traced.count(1, 3)
    traced.mapped[PLUGIN] = "b.so", "beta"
    traced.check()
    assert traced.shown() == {"main;alpha": 10, "main;alpha or beta": 3, "main": 1}
    traced.count(1, 20)
    traced.count(3, 5)
    traced.check()
    assert traced.shown() == {"main;alpha": 10, "main;alpha or beta": 3, "main;beta": 25, "main": 1}


def test_what_was_counted_until_the_answer_came_may_be_of_either() -> None:
    traced = Traced()
    traced.count(1, 10)
    traced.check()
    traced.count(1, 3)
    traced.mapped[PLUGIN] = "b.so", "beta"
    traced.rows.look()
    request = traced.functions.request(-3)
    assert request is not None
    traced.rows.asked()
    traced.count(1, 2)
    traced.learn([traced._answer(request.processes[0], True)])
    assert traced.shown()["main;alpha or beta"] == 5
    traced.count(1, 7)
    traced.check()
    assert traced.shown() == {"main;alpha": 10, "main;alpha or beta": 5, "main;beta": 7}


def test_what_ran_before_its_library_was_unloaded_is_its_own() -> None:
    traced = Traced()
    traced.count(1, 10)
    traced.check()
    traced.count(1, 3)
    del traced.mapped[PLUGIN]
    traced.check()
    assert traced.shown() == {"main;alpha": 13}
    traced.mapped[PLUGIN] = "b.so", "beta"
    traced.count(1, 4)
    traced.check()
    assert traced.shown() == {"main;alpha": 13, "main;beta": 4}


def test_code_that_comes_back_is_counted_on() -> None:
    traced = Traced()
    for number, name in enumerate(["alpha", "beta", "alpha"]):
        traced.mapped[PLUGIN] = f"{number}.so", name
        traced.count(1, 1)
        traced.check()
        traced.count(1, 10)
        traced.check()
    assert traced.shown() == {
        "main;alpha": 11 + 10,
        "main;alpha or beta": 1,
        "main;beta": 10,
        "main;beta or alpha": 1,
    }


def test_the_same_function_in_another_version_of_its_file_is_the_same() -> None:
    traced = Traced()
    traced.count(1, 10)
    traced.check()
    traced.mapped[PLUGIN] = "a.so, newer", "alpha"
    traced.count(1, 10)
    traced.check()
    assert traced.shown() == {"main;alpha": 20}


def test_a_name_that_is_found_later_is_that_of_all_samples_of_the_same_code() -> None:
    traced = Traced()
    traced.mapped[PLUGIN] = "", ""
    traced.count(1, 10)
    traced.check()
    assert traced.shown() == {"main;?": 10}
    traced.mapped[PLUGIN], traced.perf_map = ("", "compiled"), "1"
    traced.count(1, 5)
    traced.check()
    assert traced.shown() == {"main;compiled": 15}


def test_a_name_that_is_found_later_is_not_that_of_other_code() -> None:
    traced = Traced()
    traced.mapped[PLUGIN] = "stripped.so", ""
    traced.count(1, 10)
    traced.check()
    traced.mapped[PLUGIN] = "b.so", "beta"
    traced.count(1, 5)
    traced.check()
    traced.count(1, 6)
    traced.check()
    assert traced.shown() == {"main;?": 10, "main;[unknown] or beta": 5, "main;beta": 6}


def test_code_that_was_gone_before_its_name_was_looked_up_has_not_that_of_its_successor() -> None:
    traced = Traced()
    traced.count(1, 10)
    traced.check(names=False)
    traced.mapped[PLUGIN] = "b.so", "beta"
    traced.count(1, 5)
    traced.check()
    traced.count(1, 6)
    traced.check()
    assert traced.shown() == {"main;?": 10, "main;[unknown] or beta": 5, "main;beta": 6}


def test_code_that_is_compiled_anew_has_its_own_samples() -> None:
    traced = Traced()
    traced.mapped[PLUGIN], traced.perf_map = ("", "first"), "1"
    traced.count(1, 10)
    traced.check()
    traced.mapped[PLUGIN], traced.perf_map = ("", "second"), "2"
    traced.count(1, 3)
    traced.check()
    traced.count(1, 20)
    traced.check()
    assert traced.shown() == {"main;first": 10, "main;first or second": 3, "main;second": 20}


@pytest.mark.parametrize(
    ("after", "shown"),
    [("first", {"main;first": 16}), ("", {"main;first": 11, "main;first or [unknown]": 5})],
)
def test_a_name_that_vanishes_is_believed_when_it_stays_away(after: str, shown: dict[str, int]) -> None:
    """A perf map that is written anew is short for a moment."""
    traced = Traced()
    traced.mapped[PLUGIN], traced.perf_map = ("", "first"), "1"
    traced.count(1, 10)
    traced.check()
    traced.mapped[PLUGIN], traced.perf_map = ("", ""), "2"
    traced.check()
    assert not traced.functions.doubtful  # nothing ran, so nothing was looked up
    traced.count(1, 1)
    traced.check()
    assert traced.functions.doubtful
    assert traced.shown() == {"main;first": 11}
    traced.mapped[PLUGIN], traced.perf_map = ("", after), "3"
    traced.count(1, 5)
    traced.check()
    assert not traced.functions.doubtful
    assert traced.shown() == shown


def test_a_process_that_executes_another_program_has_other_code_at_the_same_addresses() -> None:
    traced = Traced()
    traced.count(1, 10)
    traced.check()
    traced.count(1, 2)  # before
    alive = traced.census.alive(10)
    assert alive is not None
    alive.programs += 1
    traced.mapped = {PLUGIN: ("x", "other"), MAIN: ("y", "start")}
    traced.check()
    traced.count(1, 7)
    traced.check()
    assert traced.shown() == {"main;alpha": 12, "start;other": 7}


def test_a_process_with_the_number_of_a_former_one_has_samples_of_its_own() -> None:
    traced = Traced()
    traced.count(1, 10)
    traced.check()
    traced.census.dead.add(10)
    traced.census.offset = 1  # another life of the same pid
    traced.mapped = {PLUGIN: ("x", "other"), MAIN: ("y", "start")}
    traced.count(1, 4)
    traced.check()
    assert traced.shown() == {"main;alpha": 10, "11:start;other": 4}
    traced.count(1, 1)
    traced.check()
    assert traced.shown() == {"main;alpha": 10, "11:start;other": 5}


def test_the_rows_of_the_dead_are_kept_with_what_is_theirs() -> None:
    traced = Traced()
    traced.count(1, 10)
    traced.check()
    traced.mapped[PLUGIN] = "b.so", "beta"
    traced.count(1, 3)
    traced.check()
    traced.count(1, 4)
    traced.check()
    traced.census.dead.add(10)
    for _ in range(3):
        traced.rows.look()
        shown = traced.shown()
    assert traced.kernel.counts == {}
    assert shown == {"main;alpha": 10, "main;alpha or beta": 3, "main;beta": 4}


def test_code_that_goes_before_its_process_ends_is_asked_for_no_more() -> None:
    traced = Traced(departed=True)
    traced.count(1, 10)
    traced.check(names=False)
    del traced.mapped[PLUGIN]
    traced.count(1, 1)
    traced.rows.look()
    request = traced.functions.request(-3)
    assert request is not None
    traced.rows.asked()
    answers = [traced._answer(each, names=True) for each in request.processes]
    traced.census.dead.add(10)
    traced.learn(answers)
    traced.check()
    assert traced.shown() == {"main;?": 11}


@pytest.mark.parametrize("ended", [False, True])
def test_code_that_is_gone_again_before_its_name_could_be_asked_for_has_none(ended: bool) -> None:
    traced = Traced(departed=True)
    traced.count(1, 10)
    traced.check(names=False)
    del traced.mapped[PLUGIN]
    traced.count(1, 1)
    traced.check(names=False)
    if ended:
        traced.census.dead.add(10)
    traced.check()
    assert traced.shown() == {f"{'[process ended before lookup]' if ended else 'main'};?": 11}


def test_what_was_shown_is_never_taken_back() -> None:
    """Not even where it turns out that other code may have run by then."""
    traced = Traced()
    traced.count(1, 10)
    traced.check()
    traced.count(1, 3)
    traced.rows.look()
    assert traced.shown() == {"main;alpha": 13}  # shown before it was checked
    traced.mapped[PLUGIN] = "b.so", "beta"
    traced.count(1, 2)
    traced.check()
    assert traced.shown() == {"main;alpha": 13, "main;alpha or beta": 2}
