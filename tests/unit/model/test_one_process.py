"""What probes say of one process, which others are offered for it, and how it is watched."""

from __future__ import annotations

from typing import Any

from ebpftop.frames.messages import (
    Ancestor,
    Catalog,
    ColumnInfo,
    ParamInfo,
    PlaybookInfo,
    Process,
    ProcessFacts,
    StepInfo,
    ThreadFacts,
    ViewInfo,
)
from ebpftop.model.ancestry import ancestors
from ebpftop.model.one_process import more, said
from ebpftop.model.past.span import INTERVAL, START, Recent, Span, Wanted
from ebpftop.model.session import Session
from ebpftop.model.watched_process import SLACK_NS, WatchedProcess
from ebpftop.stats.slots import slot_of
from tests.support.frames import (
    CALLS,
    EXECS,
    LATENCY,
    SAMPLES,
    SECOND,
    columns,
    events,
    hello,
    loaded,
    probe,
    process,
    samples,
    snapshot,
    stacks,
)

PID = ParamInfo(name="pid", type="pid")
ID = "0123456789ab" + "c" * 52
BY_NAME = ViewInfo(
    name="by name", map="calls", show="table", title="By name", columns=[ColumnInfo(field="nr", title="Call")]
)


def calls(seq: int, rows: list[tuple[int, str, int, int]]) -> object:
    tgids, names, counts, last = (list(each) for each in zip(*rows, strict=True))
    return snapshot(2, seq, {"calls": columns(tgid=tgids, nr=names, count=counts, last_ns=last)})


def session() -> Session:
    """Process 4 has slow latencies, two kinds of calls, two of three events, and a sample."""
    made = Session()
    shown = [loaded(1, "a/lat", LATENCY), loaded(2, "a/calls", CALLS, BY_NAME)]
    shown += [loaded(3, "a/exec", EXECS), loaded(4, "a/prof", SAMPLES)]
    for frame in (hello(), *shown, stacks({0: ["main"], 1: ["idle"]})):
        made.feed(frame)
    for seq, (first, second) in enumerate(((1, 2), (10, 32), (11, 33)), 1):
        slow, fast = slot_of(40_000_000), slot_of(1000)
        rows = columns(tgid=[4, 4, 5], slot=[slow, fast, fast], count=[seq * 10, 1, seq * 100])
        made.feed(snapshot(1, seq, {"latency": rows}))
        made.feed(calls(seq, [(4, "read", first, 7), (4, "write", second, 9), (5, "read", 5 * seq, 1)]))
        made.feed(samples(4, seq, {(4, 0): seq, (5, 1): 50 * seq}))
    made.feed(events(3, "events", columns(tgid=[4, 5, 4], args=["a", "b", "c"], errno=["", "", ""])))
    made.feed(snapshot(3, 4, {}))
    return made


def of(made: Session, identity: int, wanted: Wanted = INTERVAL) -> dict[str, object]:
    found = said(made.runs.values(), identity, wanted)
    return {each.view.title: each.numbers for each in found}


def test_each_view_says_what_it_counted_for_the_process() -> None:
    made = session()
    assert of(made, 4) == {
        "Run queue latency": [
            ("", "10/s"),
            *((title, "38–42 ms") for title in ("p50", "p99", "max")),
        ],
        "System calls": [("Calls", "2/s")],
        "By name": None,
        "Programs started": [("", "2 events")],
        "CPU samples": [("CPU samples", "1")],
    }
    assert of(made, 5)["System calls"] == [("Calls", "5/s"), ("Last", "1 ns")]
    assert of(made, 99) == {
        "Run queue latency": [],
        "System calls": [],
        "By name": None,
        "Programs started": [],
        "CPU samples": [],
    }


def test_they_are_of_the_span_that_is_wanted() -> None:
    made = session()
    assert of(made, 4, START)["System calls"] == [("Calls", "44")]
    step = Span(1001 * SECOND, 1002 * SECOND)
    assert of(made, 4, step)["System calls"] == [("Calls", "39/s")]
    assert of(made, 4, step)["Programs started"] == []
    assert of(made, 4, Span(1, 2))["Run queue latency"] == []


def test_events_are_those_of_the_span_and_what_was_dropped_is_told() -> None:
    made = Session(event_rows=5)
    made.feed(hello())
    made.feed(loaded(3, "a/exec", EXECS))
    for seq in range(1, 9):
        made.feed(events(3, "events", columns(tgid=[4], args=["a"], errno=[""])))
        made.feed(snapshot(3, seq, {}))
    assert of(made, 4)["Programs started"] == [("", "1 event")], "of the last interval"
    assert of(made, 4, Recent(3.0))["Programs started"] == [("", "3 events")]
    assert of(made, 4, START)["Programs started"] == [("", "5 events"), ("", "3 older ones dropped")]


def test_what_is_about_one_process_comes_first_with_its_own_questions() -> None:
    probes = [
        probe("a/one", params=[PID]),
        probe("a/none"),
        probe("a/two", params=[ParamInfo(name="which", type="int"), ParamInfo(name="of", type="pid")]),
        probe("a/three", params=[PID]),
        probe("a/not-here", params=[PID], available=False),
        probe("a/unknown", params=[PID], available=None),
    ]
    playbooks = [
        PlaybookInfo(name="m", title="M", summary="m", steps=[StepInfo(probe="a/three", question="In all?")]),
        PlaybookInfo(
            name="p",
            title="P",
            summary="p",
            steps=[
                StepInfo(probe="a/two", question="Its own?", params={"which": "3"}),
                StepInfo(probe="a/not-here", question="?"),
                StepInfo(probe="gone/away", question="?"),
            ],
            of_process=True,
        ),
    ]
    found = more(Catalog(probes=probes, playbooks=playbooks))
    assert [(each.probe.id, each.question, each.of(7)) for each in found] == [
        ("a/two", "Its own?", {"which": "3", "of": "7"}),
        ("a/three", "Is it three?", {"pid": "7"}),
        ("a/one", "Is it one?", {"pid": "7"}),
        ("a/unknown", "Is it unknown?", {"pid": "7"}),
    ]


def people(*each: Process) -> dict[int, Process]:
    return {one.id: one for one in each}


def test_ancestors_are_followed_to_those_that_were_there_before_the_child() -> None:
    child = process(9, "cat", tgid=90, start_ns=900, ppid=50, parent="sh")
    older = process(5, "sh", tgid=50, start_ns=500, ppid=1, parent="init")
    recycled = process(6, "other", tgid=50, start_ns=950)
    first = process(1, "init", tgid=1, start_ns=1, ppid=0, parent="")
    known = people(child, older, recycled, first)
    assert [(each.tgid, each.comm) for each in ancestors(child, known)] == [(50, "sh"), (1, "init")]
    assert ancestors(child, people(child, recycled)) == [Ancestor(tgid=50, start_ns=0, comm="sh")]
    itself = process(7, "odd", tgid=70, start_ns=1, ppid=70, parent="odd")
    assert [each.tgid for each in ancestors(itself, people(itself))] == [70]
    one = process(10, "a", tgid=10, start_ns=5, ppid=11)
    other = process(11, "b", tgid=11, start_ns=5, ppid=10)
    assert len(ancestors(one, people(one, other))) == 64


def facts(second: float, cpu: float, **changes: Any) -> ProcessFacts:
    known: dict[str, Any] = {"tgid": 1004, "start_ns": 4, "boottime_ns": round(second * SECOND), "rss": 5}
    return ProcessFacts(**(known | {"cpu_ns": round(cpu * SECOND)} | changes))


def thread(tid: int, cpu: float) -> ThreadFacts:
    return ThreadFacts(tid=tid, comm="t", state="R", cpu_ns=round(cpu * SECOND))


def test_cpu_is_what_was_spent_between_answers() -> None:
    watched = WatchedProcess(process(4, "cat"))
    watched.take(facts(10, 5, threads=[thread(1, 5)]))
    assert list(watched.percents) == []
    watched.take(facts(12, 6, rss=7, threads=[thread(1, 5.5), thread(2, 0.5)]))
    assert list(watched.percents) == [50]
    assert list(watched.sizes) == [5, 7]
    assert watched.of_threads == {1: 25}
    watched.take(facts(13, 5))
    assert list(watched.percents) == [50, 0]


def test_after_its_end_what_was_known_stays() -> None:
    watched = WatchedProcess(process(4, "cat"))
    assert watched.is_about(facts(10, 5))
    assert watched.is_about(process(4, "cat", start_ns=4 + SLACK_NS))
    assert not watched.is_about(facts(10, 5, start_ns=5 + SLACK_NS))
    assert not watched.is_about(facts(10, 5, tgid=1005))
    watched.take(facts(10, 5))
    assert watched.ended_ns is None
    watched.take(facts(12, 0, gone=True))
    watched.take(facts(14, 0, gone=True))
    assert watched.ended_ns == 12 * SECOND
    assert watched.facts == facts(10, 5)
    watched.process = process(4, "cat", ended_ns=11 * SECOND)
    assert watched.ended_ns == 11 * SECOND


def test_one_that_its_parent_has_not_reaped_has_ended_and_one_whose_main_thread_has_ended_has_not() -> None:
    watched = WatchedProcess(process(4, "cat"))
    watched.take(facts(10, 5))
    watched.take(facts(11, 6, state="Z", thread_count=2))
    assert (watched.ended_ns, watched.unreaped) == (None, False)
    watched.take(facts(12, 7, state="Z", thread_count=1))
    assert (watched.ended_ns, watched.unreaped) == (12 * SECOND, True)
    assert watched.facts == facts(11, 6, state="Z", thread_count=2)
    watched.take(facts(14, 0, gone=True))
    assert (watched.ended_ns, watched.unreaped) == (12 * SECOND, False)
