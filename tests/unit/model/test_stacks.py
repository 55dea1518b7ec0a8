import msgspec
import numpy as np

from ebpftop.frames.messages import Function, Stack, Stacks
from ebpftop.model.past.span import INTERVAL, START, Recent, Span
from ebpftop.model.readings import extent
from ebpftop.model.run import Run
from ebpftop.model.session import Session
from ebpftop.model.stacks import StackFrame, grown, profile, recent
from ebpftop.stats.flame import Node, grow
from tests.support.frames import SAMPLES, SECOND, columns, hello, loaded, snapshot

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
    assert len(profile(run, SAMPLES, INTERVAL)) == 0
    for seq, counts in enumerate(([3, 5, 7], [3, 16, 8])):
        session.feed(snapshot(1, seq, {"counts": columns(tgid=[1, 1, 2], stack=[10, 11, 12], count=counts)}))
    now = profile(run, SAMPLES, INTERVAL)
    assert now.keys["tgid"].tolist() == [1, 2]
    assert now.counts.tolist() == [11, 1]
    assert [[now.functions[place].id for place in stack] for stack in now.stacks] == [[2, 4], [5, 3]]
    whole = profile(run, SAMPLES, START)
    assert whole.counts.tolist() == [3, 16, 8]
    assert whole.take(np.array([2])).counts.tolist() == [8]


def test_frames_are_told_apart_by_symbol_not_by_address() -> None:
    session, run = started()
    session.feed(snapshot(1, 0, {"counts": columns(tgid=[1, 1, 2], stack=[10, 11, 12], count=[3, 5, 7])}))
    paths, frames = profile(run, SAMPLES, START).paths(["app", "app", "sh"])

    def told(node: Node) -> dict[str, object]:
        return {f"{frames[child.frame].label} {child.value}": told(child) for child in node.children}

    assert told(grow(paths)) == {
        "app 8": {"main 8": {"[unknown] libc.so.6 5": {}, "ksys_read 3": {}}},
        "sh 7": {"[no user stack] 7": {"ksys_read 7": {}}},
    }


def test_what_is_not_known_says_so() -> None:
    assert StackFrame("", "", "user").label == "[unknown]"
    assert StackFrame("", "/usr/lib/libpython3.so", "user").label == "[unknown] libpython3.so"
    assert StackFrame("[stripped]", "/usr/lib/libz.so.1", "user").label == "[stripped] libz.so.1"
    assert StackFrame("[JIT without a map]", "", "user").label == "[JIT without a map]"
    assert StackFrame("[stripped]", "", "user").gap == StackFrame("stripped", "", "missing").gap == "stripped"
    assert StackFrame("[main]", "/bin/app", "user").label == "[main]"
    assert StackFrame("stripped", "/bin/app", "user").gap == StackFrame("[stripped]", "", "python").gap == ""
    assert StackFrame("", "", "missing").label == "[missing]"
    assert StackFrame("[map full]", "", "missing").label == "[map full]"


def test_a_moment_parts_what_came_since_from_what_was_before() -> None:
    session, run = started()
    assert len(grown(run, SAMPLES, Span(0, 0))) == 0
    session.feed(snapshot(1, 0, {"counts": columns(tgid=[1, 2], stack=[10, 12], count=[3, 5])}))
    moment = run.last.monotonic_ns
    session.feed(snapshot(1, 1, {"counts": columns(tgid=[2, 1, 1], stack=[12, 11, 10], count=[16, 2, 3])}))
    session.feed(snapshot(1, 2, {"counts": columns(tgid=[2, 1, 1], stack=[12, 11, 10], count=[18, 2, 3])}))
    since = grown(run, SAMPLES, Span(moment, run.last.monotonic_ns))
    assert (since.keys["tgid"].tolist(), since.counts.tolist(), since.before.tolist()) == (
        [1, 2, 1],
        [0, 13, 2],
        [3, 5, 0],
    )
    assert [[since.functions[place].id for place in stack] for stack in since.stacks] == [[1, 3], [5, 3], [2, 4]]
    assert grown(run, SAMPLES, Span(run.last.monotonic_ns, run.last.monotonic_ns)).counts.tolist() == [0, 0, 0]


def test_values_of_the_moment_grow_from_what_they_were() -> None:
    held = msgspec.structs.replace(SAMPLES, gauge=True)
    session = Session()
    session.feed(hello())
    run = session.feed(loaded(1, "memory/held", held))
    assert run is not None
    for second, counts in enumerate(({1: 30, 2: 50}, {1: 40, 3: 2}, {1: 45, 2: 70, 3: 1})):
        rows = columns(tgid=list(counts), stack=[10] * len(counts), count=list(counts.values()))
        session.feed(snapshot(1, second, {"counts": rows}))
    first, last = run.last.monotonic_ns - 2 * SECOND, run.last.monotonic_ns
    found = [grown(run, held, Span(moment, last)) for moment in (first, last - SECOND)]
    assert [(each.keys["tgid"].tolist(), each.counts.tolist(), each.before.tolist()) for each in found] == [
        ([1, 2, 3], [15, 20, 1], [30, 50, 0]),
        ([1, 2, 3], [5, 70, 0], [40, 0, 2]),
    ]


def test_the_last_seconds_are_those_of_whole_steps() -> None:
    session, run = started()
    found = []
    for second, count in ((0, 100), (9, 200), (10, 300), (16, 400), (19, 500), (99, 600), (100, 700)):
        rows = {"counts": columns(tgid=[1], stack=[10], count=[count])}
        session.feed(snapshot(1, second, rows))
        wanted = recent(INTERVAL)
        found.append((int(profile(run, SAMPLES, wanted).counts.sum()), extent(run, SAMPLES, wanted).seconds))
    assert found == [
        (100, 0.0),
        (200, 9.0),
        (300, 10.0),
        (200, 7.0),
        (300, 10.0),
        (100, 80.0),
        (100, 1.0),
    ]


def test_a_span_that_stands_shows_the_seconds_before_it_was() -> None:
    session, run = started()
    for second in range(20):
        session.feed(snapshot(1, second, {"counts": columns(tgid=[1], stack=[10], count=[100 * second])}))
    stands = recent(Recent(0.0, session.stand()))
    for second in range(20, 90):
        session.feed(snapshot(1, second, {"counts": columns(tgid=[1], stack=[10], count=[2000 + 7 * second])}))
    assert profile(run, SAMPLES, stands).counts.tolist() == [1000]
    assert grown(run, SAMPLES, Span(run.began_ns + 15 * SECOND, stands.end)).counts.tolist() == [400]
    assert profile(run, SAMPLES, recent(INTERVAL)).counts.tolist() == [70]
