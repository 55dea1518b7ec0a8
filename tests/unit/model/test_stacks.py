import numpy as np

from ebpftop.frames.messages import Function, Stack, Stacks
from ebpftop.model.run import Run
from ebpftop.model.session import Session
from ebpftop.model.stacks import Mark, StackFrame, profile
from ebpftop.stats.flame import Node, grow
from tests.support.frames import SAMPLES, columns, hello, loaded, snapshot

FUNCTIONS = [
    Function(id=1, side="user", name="main", module="/bin/app", offset=16),
    Function(id=2, side="user", name="main", module="/bin/app", offset=48),
    Function(id=3, side="kernel", name="ksys_read"),
    Function(id=4, side="user", module="/lib/libc.so.6", offset=4096),
    Function(id=5, side="missing", name="no user stack"),
]
STACKS = [Stack(id=10, functions=[1, 3]), Stack(id=11, functions=[2, 4]), Stack(id=12, functions=[5, 3])]


def started() -> tuple[Session, Run]:
    session = Session()
    session.feed(hello())
    run = session.feed(loaded(1, "cpu/profile", SAMPLES))
    assert run is not None
    session.feed(Stacks(functions=FUNCTIONS, stacks=STACKS))
    return session, run


def test_the_rows_of_a_window_and_their_stacks() -> None:
    session, run = started()
    assert len(profile(run, SAMPLES, "interval")) == 0
    for seq, counts in enumerate(([3, 5, 7], [3, 16, 8])):
        session.feed(snapshot(1, seq, {"counts": columns(tgid=[1, 1, 2], stack=[10, 11, 12], count=counts)}))
    now = profile(run, SAMPLES, "interval")
    assert now.keys["tgid"].tolist() == [1, 2]
    assert now.counts.tolist() == [11, 1]
    assert [[now.functions[place].id for place in stack] for stack in now.stacks] == [[2, 4], [5, 3]]
    whole = profile(run, SAMPLES, "start")
    assert whole.counts.tolist() == [3, 16, 8]
    assert whole.take(np.array([2])).counts.tolist() == [8]


def test_frames_are_told_apart_by_symbol_not_by_address() -> None:
    session, run = started()
    session.feed(snapshot(1, 0, {"counts": columns(tgid=[1, 1, 2], stack=[10, 11, 12], count=[3, 5, 7])}))
    paths, frames = profile(run, SAMPLES, "start").paths(["app", "app", "sh"])

    def told(node: Node) -> dict[str, object]:
        return {f"{frames[child.frame].label} {child.value}": told(child) for child in node.children}

    assert told(grow(paths)) == {
        "app 8": {"main 8": {"[unknown] libc.so.6 5": {}, "ksys_read 3": {}}},
        "sh 7": {"[no user stack] 7": {"ksys_read 7": {}}},
    }


def test_what_is_not_known_says_so() -> None:
    assert StackFrame("", "", "user").label == "[unknown]"
    assert StackFrame("", "/usr/lib/libpython3.so", "user").label == "[unknown] libpython3.so"
    assert StackFrame("", "", "missing").label == "[missing]"
    assert StackFrame("[map full]", "", "missing").label == "[map full]"


def test_a_mark_parts_what_came_since_from_what_was_before() -> None:
    session, run = started()
    assert Mark.now(run, SAMPLES) is None
    session.feed(snapshot(1, 0, {"counts": columns(tgid=[1, 2], stack=[10, 12], count=[3, 5])}))
    mark = Mark.now(run, SAMPLES)
    assert mark is not None
    session.feed(snapshot(1, 1, {"counts": columns(tgid=[2, 1, 1], stack=[12, 11, 10], count=[16, 2, 3])}))
    session.feed(snapshot(1, 2, {"counts": columns(tgid=[2, 1, 1], stack=[12, 11, 10], count=[18, 2, 3])}))
    since, interval = profile(run, SAMPLES, "start", mark), profile(run, SAMPLES, "interval", mark)
    told = [(p.keys["tgid"].tolist(), p.counts.tolist(), p.before.tolist()) for p in (since, interval)]
    assert told == [([1, 2, 1], [0, 13, 2], [3, 5, 0]), ([1, 2], [0, 2], [3, 5])]
    assert mark.fits(run)
    assert not mark.fits(started()[1])
