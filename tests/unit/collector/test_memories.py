from ebpftop.collector import memories
from ebpftop.collector.memories import Memories, Memory
from ebpftop.kernel.memory_events import Ended, Event, Executed, File, Forked, Mapped

SINCE = 1_000_000_000_000
APP, LIBRARY = (File(b"fe:00", inode, 1, path) for inode, path in ((1, b"/bin/app"), (2, b"/lib/one.so")))


def noted(*events: Event) -> Memories:
    found = Memories()
    found.since = SINCE
    found.take(events, until=1 << 62)
    return found


def mapped(after: int, tgid: int, start: int, file: File = APP) -> Mapped:
    return Mapped(SINCE + after, tgid, start, start + 0x1000, 0, file)


def file_at(found: Memories, tgid: int, after: int, address: int) -> File | Memory | None:
    last = found.of(tgid, SINCE + after)
    assert last is not None
    there = last.find(address)
    return there.file if isinstance(there, Mapped) else there


def test_a_program_has_what_it_mapped_since_it_was_executed() -> None:
    found = noted(
        Forked(SINCE + 10, 7, 3),
        mapped(11, 7, 0x9000),
        Executed(SINCE + 12, 7),
        mapped(13, 7, 0x1000),
        Ended(SINCE + 20, 7),
    )
    assert file_at(found, 7, 10, 0x1FFF) == APP
    assert file_at(found, 7, 10, 0x2000) is None
    assert file_at(found, 7, 10, 0x9000) is None


def test_a_fork_has_what_its_parent_had_mapped_then() -> None:
    found = noted(
        Forked(SINCE + 1, 3, 2),
        Executed(SINCE + 2, 3),
        mapped(3, 3, 0x1000),
        Forked(SINCE + 10, 7, 3),
        mapped(11, 3, 0x5000, LIBRARY),
        mapped(12, 7, 0x6000, LIBRARY),
        Forked(SINCE + 13, 8, 7),
    )
    assert file_at(found, 7, 10, 0x1000) == APP
    assert file_at(found, 7, 10, 0x5000) is None
    assert file_at(found, 7, 10, 0x6000) == LIBRARY
    assert file_at(found, 8, 13, 0x6000) == LIBRARY
    assert file_at(found, 3, 1, 0x6000) is None


def test_what_was_mapped_before_the_noting_is_the_living_parents_to_tell() -> None:
    found = noted(Forked(SINCE + 10, 7, 3), mapped(11, 3, 0x5000, LIBRARY))
    parent = file_at(found, 7, 10, 0x1000)
    assert isinstance(parent, Memory)
    assert parent.tgid == 3
    assert found.lives(parent)
    assert file_at(found, 7, 10, 0x5000) is None  # the parent has something else there now
    found.take([Executed(SINCE + 20, 3)], until=1 << 62)
    assert not found.lives(parent)
    found = noted(Forked(SINCE + 10, 7, 3), Ended(SINCE + 20, 3))
    parent = file_at(found, 7, 10, 0x1000)
    assert isinstance(parent, Memory)
    assert not found.lives(parent)


def test_a_number_that_is_used_again_is_another_process() -> None:
    found = noted(
        Forked(SINCE + 10, 7, 3),
        Executed(SINCE + 11, 7),
        mapped(12, 7, 0x1000),
        Ended(SINCE + 20, 7),
        Forked(SINCE + 90_000_000_000, 7, 3),
        Executed(SINCE + 90_000_000_001, 7),
        mapped(90_000_000_002, 7, 0x1000, LIBRARY),
    )
    assert file_at(found, 7, 10, 0x1000) == APP
    assert file_at(found, 7, 90_000_000_000, 0x1000) == LIBRARY
    assert found.of(7, SINCE + 40_000_000_000) is None
    assert found.of(7, SINCE - 2_000_000_000) is None


def test_events_of_several_processors_are_taken_in_the_order_of_their_times() -> None:
    found = Memories()
    found.since = SINCE
    found.take([mapped(12, 7, 0x1000), Executed(SINCE + 11, 7)], until=SINCE + 9)
    assert found.of(7, SINCE + 10) is None
    found.take([Forked(SINCE + 10, 7, 3)], until=SINCE + 12)
    assert file_at(found, 7, 10, 0x1000) == APP


def test_the_dead_that_ended_first_are_forgotten_when_there_are_many() -> None:
    found = noted()
    for number in range(memories.MOST_DEAD + 10):
        begins = SINCE + number * 10
        found.take([Forked(begins, number + 10, 3), mapped(number * 10 + 1, number + 10, 0x1000)], until=1 << 62)
        found.take([Ended(begins + 2, number + 10)], until=1 << 62)
    assert found.of(10, SINCE) is None
    last = memories.MOST_DEAD + 9
    assert found.of(last + 10, SINCE + last * 10) is not None


def test_a_chain_of_forks_without_end_is_cut() -> None:
    events = [Forked(SINCE + number, number + 10, number + 9) for number in range(200)]
    found = noted(*events)
    known = [found.of(number + 10, SINCE + number) for number in range(200)]
    assert max(memory.depth for memory in known if memory is not None) == 64
    assert isinstance(file_at(found, 11, 1, 0x1000), Memory)
    assert file_at(found, 209, 199, 0x1000) is None
