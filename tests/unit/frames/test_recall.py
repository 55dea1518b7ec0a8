from ebpftop.frames.messages import Function, Stack, Stacks, Threads
from ebpftop.frames.recall import Recall
from tests.support.frames import columns, hello, mark, snapshot

MAIN = Function(id=7, side="user", name="main", module="app")


def test_who_comes_late_is_told_the_stacks_before_the_rows_about_them() -> None:
    recall = Recall()
    sample = snapshot(1, 1, {"samples": columns(stack=[5], count=[3])})
    for frame in (
        hello(),
        Stacks(functions=[Function(id=7, side="user")], stacks=[Stack(id=5, functions=[7])]),
        sample,
        Stacks(functions=[MAIN]),
    ):
        recall.add(frame)
    assert recall.frames() == [hello(), Stacks(functions=[MAIN], stacks=[Stack(id=5, functions=[7])]), sample]


def test_a_stream_that_begins_anew_forgets_its_stacks() -> None:
    recall = Recall()
    for frame in (hello(), Stacks(functions=[MAIN], stacks=[Stack(id=5, functions=[7])]), hello()):
        recall.add(frame)
    assert recall.frames() == [hello()]


def test_marks_are_kept_in_their_order() -> None:
    recall = Recall()
    sample = snapshot(1, 1, {})
    for frame in (hello(), mark("deploy", 0), sample, mark("rollback", 2)):
        recall.add(frame)
    assert recall.frames() == [hello(), mark("deploy", 0), sample, mark("rollback", 2)]


def test_the_last_reading_of_threads_is_kept() -> None:
    recall = Recall()
    for second in (1, 2, 3):
        for frame in (hello(), Threads(monotonic_ns=second, boottime_ns=second))[second > 1 :]:
            recall.add(frame)
    assert [frame.monotonic_ns for frame in recall.frames() if isinstance(frame, Threads)] == [3]
    recall.add(hello())
    assert not any(isinstance(frame, Threads) for frame in recall.frames())
