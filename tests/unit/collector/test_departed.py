"""Names of processes that have ended, by scripted answers."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from ebpftop.collector.census import Census, Identity
from ebpftop.collector.departed import Departed
from ebpftop.collector.memories import Memories
from ebpftop.handover.protocol import ProcessSymbols, SymbolRange
from ebpftop.kernel.memory_events import Event, Executed, File, Forked, Mapped

APP = File(b"fe:00", 1, 1, b"/bin/app")


def boottime() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class FewProcesses(Census):
    """Process 3 lives, 7 and 8 have ended; a process's number is its identity's."""

    def __init__(self, began: int) -> None:
        super().__init__(lambda group, hierarchy: "")
        self.began = began

    def known(self, number: int) -> Identity | None:
        return Identity(number, number, self.began)

    def living(self, tgid: int) -> Identity | None:
        return Identity(3, 3, self.began - 50) if tgid == 3 else None


class Learned(list[tuple[int, str, int]]):
    """(address, name, offset in the function) of all that was told."""

    def want(self, departed: Departed, number: int, *addresses: int) -> None:
        for address in addresses:
            departed.want(number, address, lambda known, at=address: self.append((at, known.name, at - known.base)))

    @property
    def named(self) -> list[tuple[int, str, int]]:
        return [each for each in self if each[1]]


@pytest.fixture
def began() -> int:
    return boottime() - 1_000_000_000


def departed(began: int, *events: Event) -> Departed:
    found = Departed(FewProcesses(began))
    memories = Memories()
    memories.since = began - 10
    memories.take(events, until=1 << 62)
    found.begin(memories)
    return found


def executed(began: int, tgid: int, start: int) -> Iterable[Event]:
    return (
        Forked(began + 1, tgid, 3),
        Executed(began + 2, tgid),
        Mapped(began + 3, tgid, start, start + 0x2000, 0x1000, APP),
    )


def work(changed_ns: int, number: int) -> ProcessSymbols:
    """Of the file: 0x1400 to 0x1480 is `work`."""
    range_ = SymbolRange(start=0x1400, end=0x1480, base=0x1400, name="work", module="app")
    return ProcessSymbols(id=number, ranges=[range_], perf_map=str(changed_ns))


OLD = 1_000_000_000


def test_names_come_from_the_file_that_was_mapped_and_are_kept_for_the_next(began: int) -> None:
    found, learned = departed(began, *executed(began, 7, 0x50000), *executed(began, 8, 0x90000)), Learned()
    learned.want(found, 7, 0x50420, 0x50900, 0x70000)
    processes, files = found.request()
    assert processes == []
    ((number, path, device, inode, offsets),) = ((f.id, f.path, f.device, f.inode, f.offsets) for f in files)
    assert (path, device, inode, offsets) == (b"/bin/app", b"fe:00", 1, [0x1420, 0x1900])
    assert learned == [(0x50420, "", 0x1420), (0x50900, "", 0x1900)]  # the module is known at once
    found.answered([work(OLD, number)])
    assert learned.named == [(0x50420, "work", 0x20)]
    assert found.waiting == 0
    learned.want(found, 8, 0x90420)
    assert learned.named[1:] == [(0x90420, "work", 0x20)]
    assert found.request() == ([], [])


def test_a_file_that_has_changed_since_it_was_mapped_names_nothing(began: int) -> None:
    found, learned = departed(began, *executed(began, 7, 0x50000)), Learned()
    learned.want(found, 7, 0x50420)
    (asked,) = found.request()[1]
    found.answered([work(time.time_ns(), asked.id)])
    assert learned.named == []
    assert found.waiting == 0


def test_what_maps_a_file_later_has_names_only_once_it_is_known_to_be_the_same(began: int) -> None:
    found, learned = departed(began, *executed(began, 7, 0x50000)), Learned()
    learned.want(found, 7, 0x50420)
    (asked,) = found.request()[1]
    found.answered([work(OLD, asked.id)])
    later = boottime() + 1
    found.memories.take(
        [Forked(began + 4, 8, 3), Executed(later, 8), Mapped(later, 8, 0x90000, 0x92000, 0x1000, APP)], until=1 << 62
    )
    learned.want(found, 8, 0x90420)
    assert len(learned.named) == 1
    (asked,) = found.request()[1]
    assert asked.offsets == []
    found.answered([ProcessSymbols(id=asked.id, ranges=[], perf_map=str(OLD))])
    assert learned.named[1:] == [(0x90420, "work", 0x20)]


def test_forks_are_named_by_the_parent_that_lives_asked_once(began: int) -> None:
    found, learned = departed(began, Forked(began + 1, 7, 3), Forked(began + 2, 8, 3)), Learned()
    learned.want(found, 7, 0x1410)
    learned.want(found, 8, 0x1410, 0x1420)
    ((asked,), files) = found.request()
    assert (asked.tgid, asked.start_ns, asked.addresses, files) == (3, began - 50, [0x1410, 0x1420], [])
    found.answered([work(0, asked.id)])
    assert learned == [(0x1410, "work", 0x10), (0x1410, "work", 0x10), (0x1420, "work", 0x20)]
    learned.want(found, 8, 0x1410)
    assert learned[3:] == [(0x1410, "work", 0x10)]


def test_no_answer_leaves_nothing_waiting(began: int) -> None:
    found, learned = departed(began, Forked(began + 1, 7, 3), *executed(began, 8, 0x50000)), Learned()
    learned.want(found, 7, 0x1410)
    learned.want(found, 8, 0x50420)
    assert found.waiting == 2
    found.request()
    found.answered([])
    assert (found.waiting, found.request(), learned.named) == (0, ([], []), [])


def test_after_a_new_beginning_only_files_are_known(began: int) -> None:
    found, learned = departed(began, Forked(began + 1, 7, 3)), Learned()
    learned.want(found, 7, 0x1410)
    found.begin(Memories())
    assert (found.waiting, found.request()) == (0, ([], []))
