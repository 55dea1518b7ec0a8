import time
from math import inf

import pytest

from ebpftop.collector.census import Census
from ebpftop.collector.functions import Change, Functions
from ebpftop.collector.naming import NAMES_AT_ONCE, PATIENCE, SECONDS_OF_NAMES, SHARE_OF_NAMES, Naming
from ebpftop.frames.messages import Detached, Frame, Notice, Snapshot, Stacks
from ebpftop.handover.protocol import RequestSymbols, SymbolRange, Symbols

TEXT = 0xFFFFFFFF81000000
RANGE = SymbolRange(start=TEXT, end=TEXT + 16, base=TEXT, name="ksys_read", module="vmlinux")


class Counts:
    """Counts nothing by call stack of its own."""

    any = False

    def look(self) -> None:
        pass

    def asked(self) -> None:
        pass

    def learned(self, change: Change, sure: bool) -> None:
        assert change == {}


class Stream:
    """What a consumer gets and root is asked, with functions that lie 16 bytes apart."""

    def __init__(self, *, hold: bool = True) -> None:
        self.functions = Functions(Census(lambda number, hierarchy: ""))
        self.asked: list[RequestSymbols] = []
        self.got: list[Frame] = []
        self.naming = Naming(self.functions, self.asked.append, self.got.append, Counts(), hold=hold)
        self._now = time.monotonic()

    def sample(self, seq: int, *addresses: int) -> Snapshot:
        for address in addresses:
            self.functions.stack([self.functions.number(0, address)])
        snapshot = Snapshot(run=1, seq=seq, realtime_ns=0, monotonic_ns=0, boottime_ns=0, maps={})
        self.naming.put(1, lambda: self.got.append(snapshot))
        return snapshot

    def tick(self) -> None:
        """Two seconds later."""
        self._now += 2
        self.naming.tick(self._now)

    def names(self) -> list[str]:
        return [each.name for frame in self.got if isinstance(frame, Stacks) for each in frame.functions if each.name]

    def samples(self) -> list[Frame]:
        return [frame for frame in self.got if isinstance(frame, Snapshot)]


def test_a_sample_without_new_functions_waits_for_nothing() -> None:
    stream = Stream()
    first = stream.sample(1)
    assert stream.got == [first]


def test_a_sample_waits_for_the_names_of_its_functions() -> None:
    stream = Stream()
    first = stream.sample(1, TEXT)
    assert stream.samples() == []
    stream.tick()
    assert [question.kernel for question in stream.asked] == [[TEXT]]
    assert stream.samples() == []
    stream.naming.answered(Symbols(kernel=[RANGE], processes=[]))
    assert stream.samples() == [first]
    assert stream.names() == ["ksys_read"]


def test_it_is_due_when_a_sample_has_waited_long_enough_and_not_before() -> None:
    stream = Stream()
    assert stream.naming.due == inf
    before = time.monotonic()
    stream.sample(1, TEXT)
    assert before + PATIENCE <= stream.naming.due <= time.monotonic() + PATIENCE
    stream.naming.tick(stream.naming.due)
    assert len(stream.samples()) == 1
    assert stream.naming.due == inf


def test_a_file_whose_names_are_missing_is_told_once() -> None:
    stream = Stream()
    answer = Symbols(kernel=[], processes=[], problems=["functions without a name in x.so: its tables overlap"])
    stream.naming.answered(answer)
    stream.naming.answered(answer)
    notices = [frame for frame in stream.got if isinstance(frame, Notice)]
    assert [(one.level, one.text) for one in notices] == [("warning", answer.problems[0])]
    stream.naming.answered(Symbols(kernel=[], processes=[], problems=[str(n) for n in range(1009)]))
    assert len([frame for frame in stream.got if isinstance(frame, Notice)]) == 32


def test_the_newest_of_those_that_wait_is_told() -> None:
    """Its own functions are asked for after the answer that is due."""
    stream = Stream()
    stream.sample(1, TEXT)
    stream.tick()
    newest = stream.sample(2, TEXT + 64)
    stream.naming.answered(Symbols(kernel=[RANGE], processes=[]))
    assert stream.samples() == []
    stream.tick()
    stream.naming.answered(None)
    assert stream.samples() == [newest]
    assert [question.kernel for question in stream.asked] == [[TEXT], [TEXT + 64]]


def test_a_run_ends_with_its_last_names_which_are_asked_for_at_once() -> None:
    stream = Stream()
    last = stream.sample(1, TEXT)
    stream.naming.detached(1, True)
    assert len(stream.asked) == 1
    stream.naming.detached(2, False)
    assert stream.got[-1] == Detached(run=2)
    stream.naming.answered(Symbols(kernel=[RANGE], processes=[]))
    assert stream.got[-2:] == [last, Detached(run=1)]


def test_functions_nobody_can_name_hold_nothing_up() -> None:
    stream = Stream()
    stream.functions.stack([stream.functions.number(77, 0x1000)])  # of a process that is gone
    sample = stream.sample(1)
    stream.tick()
    assert stream.asked == []
    assert stream.samples() == [sample]


def test_a_screen_gets_samples_at_once_and_names_later_but_a_run_still_ends_with_its_names() -> None:
    stream = Stream(hold=False)
    first = stream.sample(1, TEXT)
    assert stream.samples() == [first]
    stream.naming.detached(1, True)
    assert stream.got[-1] == first
    stream.naming.answered(Symbols(kernel=[RANGE], processes=[]))
    assert stream.names() == ["ksys_read"]
    assert stream.got[-1] == Detached(run=1)


def test_nothing_waits_for_ever() -> None:
    stream = Stream()
    sample = stream.sample(1, TEXT)
    for _ in range(6):
        stream.tick()
    assert stream.samples() == [sample]


def test_a_second_question_comes_some_time_after_the_answer_to_the_first() -> None:
    stream = Stream()
    stream.sample(1, TEXT)
    stream.tick()
    stream.naming.answered(None)
    stream.sample(2, TEXT + 64)
    stream.naming.tick(time.monotonic() + 0.1)
    assert len(stream.asked) == 1
    stream.tick()
    assert len(stream.asked) == 2


def spent(stream: Stream, *, cpu_seconds: float) -> float:
    """Seconds from an answer to when new names are requested again."""
    stream.functions.number(0, TEXT + 16 * len(stream.asked))
    stream.naming._next_names = 0.0
    stream.tick()
    before = stream.naming._requested_at
    stream.naming.answered(Symbols(kernel=[], processes=[], cpu_seconds=cpu_seconds))
    return stream.naming._next_names - before


def test_names_are_requested_often_at_first_and_then_take_a_small_part_of_a_cpu() -> None:
    stream = Stream(hold=False)
    assert spent(stream, cpu_seconds=NAMES_AT_ONCE / 2) == SECONDS_OF_NAMES
    assert spent(stream, cpu_seconds=NAMES_AT_ONCE / 4) == SECONDS_OF_NAMES
    wait = spent(stream, cpu_seconds=NAMES_AT_ONCE)
    assert wait == pytest.approx(0.75 * NAMES_AT_ONCE / SHARE_OF_NAMES, rel=0.1)


def test_frames_that_are_held_do_not_wait_for_names_in_vain() -> None:
    assert spent(Stream(hold=True), cpu_seconds=100.0) < PATIENCE
