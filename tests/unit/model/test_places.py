"""Threads as places: what makes them wait for the same, what comes first, and since when they have not run."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ebpftop.base.syscalls import NUMBERS
from ebpftop.frames.messages import OpenWait, ThreadPlace, Threads
from ebpftop.model.places import COMPAT, Place, Places, age_of, call_of, written

S = 1_000_000_000
READ, FUTEX, POLL, SLEEP = (NUMBERS[name] for name in ("read", "futex", "ppoll", "clock_nanosleep"))


def thread(tid: int, state: str = "S", tgid: int = 100, **known: Any) -> ThreadPlace:
    facts = {"start_ns": tid, "comm": f"t{tid}", "process": f"p{tgid}", "cpu_ns": 0, "switches": 5} | known
    return ThreadPlace(tid=tid, tgid=tgid, state=state, **facts)


def read(*threads: ThreadPlace, second: int = 10, stacks: list[list[str]] | None = None) -> Threads:
    return Threads(
        monotonic_ns=second * S, boottime_ns=second * S, threads=list(threads), stacks=stacks or [], count=len(threads)
    )


def sizes(places: list[Place]) -> list[tuple[str, str, str, int]]:
    return [(each.state, each.call, each.target, len(each.seen)) for each in places]


def test_threads_of_all_processes_that_read_one_file_are_one_place() -> None:
    threads = [thread(tid, tgid=tid % 3, call=READ, arguments=[tid], target="/x") for tid in range(1, 51)]
    assert sizes(Places().take(read(*threads, thread(51, call=READ, target="/y")))) == [
        ("sleeping", "read", "/x", 50),
        ("sleeping", "read", "/y", 1),
    ]


def test_a_futex_is_one_of_its_process() -> None:
    threads = [thread(tid, tgid=tid % 2, call=FUTEX, arguments=[0xF0, 128]) for tid in range(1, 7)]
    assert sizes(Places().take(read(*threads))) == [("sleeping", "futex", "futex 0xf0", 3)] * 2


def test_a_file_without_a_name_is_known_by_its_number_in_processes_of_one_program() -> None:
    known = {"call": READ, "target": "anon_inode:[eventfd]", "waits": "eventfd_read"}
    of_one = [thread(tid, tgid=tid, process="p", arguments=[4], **known) for tid in (1, 2, 3)]
    others = [thread(5, tgid=5, process="p", arguments=[9], **known), thread(6, tgid=6, arguments=[4], **known)]
    assert sizes(Places().take(read(*of_one, *others))) == [
        ("sleeping", "read", "anon_inode:[eventfd], fd 4", 3),
        ("sleeping", "read", "anon_inode:[eventfd], fd 9", 1),
        ("sleeping", "read", "anon_inode:[eventfd], fd 4", 1),
    ]


def test_of_what_nothing_is_known_every_process_is_a_place() -> None:
    assert len(Places().take(read(thread(1, tgid=1), thread(2, tgid=2), thread(3, tgid=2)))) == 2


def test_what_may_be_stuck_comes_first_and_what_is_idle_last() -> None:
    threads = [
        thread(1, call=POLL),
        thread(2, call=SLEEP),
        thread(3, call=SLEEP),
        thread(4, kernel=True),
        thread(5, "I", kernel=True),
        thread(6, "R"),
        thread(7, "D", call=READ, target="/x"),
        thread(8, "T"),
        thread(9, "t", tgid=7),
        thread(10, call=READ, target="/x"),
        thread(11, "Z"),
    ]
    assert sizes(Places().take(read(*threads))) == [
        ("uninterruptible", "read", "/x", 1),
        ("stopped", "", "", 1),
        ("traced", "", "", 1),
        ("runnable", "", "", 1),
        ("sleeping", "read", "/x", 1),
        ("sleeping", "clock_nanosleep", "", 2),
        ("sleeping", "ppoll", "", 1),
        ("ended", "", "", 1),
        ("idle", "", "", 2),
    ]


def test_a_runnable_thread_is_on_a_cpu_if_it_has_used_cpu_time_since() -> None:
    places = Places()
    assert sizes(places.take(read(thread(1, "R"), thread(2, "R", tgid=2)))) == [("runnable", "", "", 1)] * 2
    now = places.take(read(thread(1, "R", cpu_ns=10), thread(2, "R", tgid=2), second=11))
    assert sizes(now) == [("runnable", "", "", 1), ("on CPU", "", "", 1)]
    assert now[1].whose == "p100 (100)"


def ages(places: Places, second: int, switches: int | None, start: int = 1) -> list[int | None]:
    (place,) = places.take(read(thread(1, call=READ, target="/x", switches=switches, start_ns=start), second=second))
    return [each.age_ns for each in place.seen]


def test_a_thread_has_not_run_for_as_long_as_its_switches_stay_the_same() -> None:
    places = Places()
    assert ages(places, 10, 5) == [None]
    assert ages(places, 11, 5) == [S]
    assert ages(places, 14, 5) == [4 * S]
    assert ages(places, 15, 7) == [None]
    assert ages(places, 16, 7) == [S]
    assert ages(places, 17, None) == [None]
    assert ages(places, 18, 7) == [None]
    assert ages(places, 19, 7, start=2) == [None]  # another thread of that number


def test_how_long_it_has_not_run_at_least_may_be_known_at_the_first_look() -> None:
    places = Places()
    one = thread(1, call=READ, target="/x", still_ns=3 * S)
    assert [each.since for each in places.take(read(one, second=10))] == ["≥ 3 s"]
    assert [each.since for each in places.take(read(one, second=14))] == ["≥ 4 s"]
    assert [each.since for each in places.take(read(thread(1, switches=None, still_ns=S), second=15))] == [""]


def test_a_place_keeps_its_number_while_it_is_there() -> None:
    places = Places()
    (x,) = places.take(read(thread(1, call=READ, target="/x")))
    y, still = places.take(read(thread(1, call=READ, target="/x"), thread(2, "D", call=READ, target="/y")))
    assert (x.number, y.target) == (still.number, "/y")
    assert y.number != x.number
    (z,) = places.take(read(thread(3, call=READ, target="/z")))
    assert z.number not in (x.number, y.number)


def test_a_place_has_its_stacks_the_most_frequent_first() -> None:
    threads = [thread(tid, call=READ, target="/x", stack=tid % 3 > 0, waits="g") for tid in range(1, 6)]
    (place,) = Places().take(read(*threads, thread(9, call=READ, target="/x", stack=7), stacks=[["f"], ["g", "h"]]))
    assert list(place.stacks) == [(["g", "h"], 4), (["f"], 1)]
    assert (place.waits, place.whose, place.age_ns) == ("g", "p100 (100)", None)


def test_whose_names_the_process_with_the_most_threads_and_counts_the_others() -> None:
    threads = [thread(tid, tgid=tid // 4, call=READ, target="/x") for tid in range(1, 10)]
    (place,) = Places().take(read(*threads))
    assert place.whose == "p1 (1) and 2 more"


@pytest.mark.parametrize(
    ("call", "name", "text"),
    [
        (None, "", ""),
        (READ, "read", "read(fd=3)"),
        (COMPAT + 3, "3 (32-bit)", "3 (32-bit)(0x3)"),
        (511, "511", "511(0x3)"),
    ],
)
def test_a_call_has_a_name_or_its_number(call: int | None, name: str, text: str) -> None:
    known = thread(1, call=call, arguments=[3])
    assert (call_of(known), written(known)) == (name, text)


# ---------------------------------------------------------------- waits that probes know


def known(second: int, *threads: ThreadPlace, asleep: int = 0, **waits: Any) -> Threads:
    """A reading; the machine was asleep for some seconds before."""
    found = [OpenWait(tid=int(name[1:]), **facts) for name, facts in waits.items()]
    return Threads(monotonic_ns=second * S, boottime_ns=(second + asleep) * S, threads=list(threads), waits=found)


def test_a_wait_that_a_probe_saw_begin_has_its_age_at_once() -> None:
    waiting = [thread(tid, call=FUTEX, arguments=[0xF0, 0]) for tid in (1, 2)]
    (place,) = Places().take(known(30, *waiting, t1={"since_ns": 12 * S}))
    assert (place.age_ns, place.since) == (18 * S, "18 s")
    assert sorted(map(age_of, place.seen)) == ["", "18 s"]


def test_of_several_probes_the_longest_wait_counts() -> None:
    waits = [OpenWait(tid=1, since_ns=since * S) for since in (25, 20, 28)]
    read_ = Threads(monotonic_ns=30 * S, boottime_ns=30 * S, threads=[thread(1, call=FUTEX)], waits=waits)
    assert [each.age_ns for each in Places().take(read_)] == [10 * S]


@pytest.mark.parametrize(
    ("state", "since", "start", "asleep"),
    [
        ("R", 12, 1, 0),  # it runs by now
        ("S", 31, 1, 0),  # it began after the thread was looked at
        ("S", 12, 13, 0),  # an earlier thread with its number left it behind
        ("S", 12, 63, 50),
    ],
)
def test_a_wait_that_is_not_this_threads_present_one_is_none(state: str, since: int, start: int, asleep: int) -> None:
    one = thread(1, state, call=FUTEX, start_ns=start * S)
    (place,) = Places().take(known(30, one, asleep=asleep, t1={"since_ns": since * S}))
    assert place.age_ns is None
    fits = known(30, thread(1, call=FUTEX, start_ns=11 * S), asleep=asleep, t1={"since_ns": 12 * S})
    assert [each.age_ns for each in Places().take(fits)] == [18 * S]


def test_a_holder_is_a_thread_of_the_same_process_that_does_not_wait_there_itself() -> None:
    waiting = [thread(tid, call=FUTEX, arguments=[0xF0, 0]) for tid in (1, 2, 3)]
    others = [thread(7, "R", tgid=300), thread(8, call=POLL), thread(9, tgid=200, call=POLL)]

    def holder(*numbers: int) -> int | None:
        waits = {f"t{at}": {"since_ns": S, "holder": number} for at, number in enumerate(numbers, 1)}
        places = Places().take(known(30, *waiting, *others, **waits))
        found = next(each for each in places if each.call == "futex")
        assert (places[0] is found) == (found.holder is not None)  # who waits for another one comes first
        return found.holder.tid if found.holder else None

    assert holder(8, 8, 0) == 8
    assert holder(0, 0, 0) is None
    assert holder(9, 9, 9) is None
    assert holder(2, 3, 1) is None
    assert holder(4711, 8, 4711) == 8


def test_who_woke_a_thread_last_is_named_if_that_thread_still_lives() -> None:
    waiting = [thread(tid, call=FUTEX, arguments=[0xF0, 0]) for tid in (1, 2, 3)]
    others = [thread(7, "R", tgid=300, start_ns=5 * S), thread(8, tgid=200, call=POLL)]

    def wakers(*told: tuple[int, int], asleep: int = 0) -> list[tuple[int, int]]:
        waits = [
            OpenWait(tid=tid, since_ns=9 * S, waker=waker, woken_ns=second * S)
            for tid, (waker, second) in enumerate(told, 1)
        ]
        places = Places().take(msgspec.structs.replace(known(30, *waiting, *others, asleep=asleep), waits=waits))
        found = next(each for each in places if each.call == "futex")
        assert sum(each.waker is not None for each in found.seen) == sum(count for _, count in found.wakers)
        return [(each.tid, count) for each, count in found.wakers]

    assert wakers((7, 8), (7, 8), (8, 8)) == [(7, 2), (8, 1)]
    assert wakers((0, 8), (4711, 8)) == []  # an interrupt did, or a thread that has ended
    assert wakers((7, 4), (8, 4)) == [(8, 1)]  # the former 7
    assert wakers((7, 4), asleep=2) == [(7, 1)]


def test_of_several_probes_the_last_waker_counts() -> None:
    told = [(8, 3), (9, 5), (0, 0)]
    waits = [OpenWait(tid=1, since_ns=6 * S, waker=waker, woken_ns=second * S) for waker, second in told]
    threads = [thread(1, call=FUTEX), thread(8, call=POLL), thread(9, call=SLEEP)]
    places = Places().take(Threads(monotonic_ns=30 * S, boottime_ns=30 * S, threads=threads, waits=waits))
    (found,) = [each for each in places if each.call == "futex"]
    assert [(each.tid, count) for each, count in found.wakers] == [(9, 1)]
