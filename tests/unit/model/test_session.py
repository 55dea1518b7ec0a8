import msgspec
import numpy as np
import pytest

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.marks import MARKS
from ebpftop.frames.messages import (
    Column,
    Function,
    Host,
    Loading,
    Losses,
    Notice,
    Refused,
    Stack,
    Stacks,
)
from ebpftop.model.run import Run
from ebpftop.model.session import RUNS, Session
from tests.support.frames import (
    CALLS,
    EXECS,
    LATENCY,
    SAMPLES,
    catalog,
    columns,
    cost,
    detached,
    events,
    hello,
    loaded,
    mark,
    probe,
    process,
    processes,
    rejected,
    snapshot,
)


def started(*views: object, **options: int) -> tuple[Session, Run]:
    session = Session(**options)
    session.feed(hello())
    run = session.feed(loaded(1, "cpu/some", *views))
    assert run is not None
    return session, run


def test_a_session_knows_its_machine_catalog_processes_and_notices() -> None:
    session = Session()
    session.feed(hello())
    session.feed(catalog(probe("cpu/runqlat")))
    session.feed(processes(process(1, "sh"), process(2, "make")))
    session.feed(processes(process(2, "cc1")))
    session.feed(Notice(level="warning", text="half"))
    session.feed(Refused(error="no such probe"))
    for _ in range(2):
        session.feed(Host(realtime_ns=5, cpu_percent=43.0, memory_percent=61.0, load=3.1))
    assert session.hello == hello()
    assert [each.id for each in session.catalog.probes] == ["cpu/runqlat"]
    assert {key: each.comm for key, each in session.processes.items()} == {1: "sh", 2: "cc1"}
    assert [each.text for each in session.notices] == ["half"]
    assert session.refused == Refused(error="no such probe")
    assert len(session.hosts) == 1


def test_a_run_goes_from_loading_to_detached() -> None:
    session = Session()
    run = session.feed(Loading(run=4, probe="cpu/runqlat", params={"pid": "1"}, stage="compile"))
    assert (run.id, run.probe, run.params, run.state, run.views) == (4, "cpu/runqlat", {"pid": "1"}, "loading", [])
    session.feed(loaded(4, "cpu/runqlat", LATENCY))
    assert (run.state, run.views) == ("running", [LATENCY])
    assert session.feed(detached(4)) is run
    assert run.state == "detached"


def test_a_rejected_run_keeps_what_the_verifier_said() -> None:
    session = Session()
    run = session.feed(rejected(1, "lab/null-deref"))
    assert (run.state, run.failure.diagnosis.insn) == ("rejected", 8)
    assert run.failure is run.failure


def test_a_hello_begins_anew() -> None:
    session, _ = started(LATENCY)
    session.feed(processes(process(1, "sh")))
    session.feed(hello(host="other"))
    assert (session.hello.host, session.runs, session.processes) == ("other", {}, {})


def test_snapshots_count_in_order_and_once() -> None:
    session, run = started(CALLS)
    maps = {"calls": columns(tgid=[1], nr=["read"], count=[1], last_ns=[0])}
    for seq in (0, 1, 1, 0, 2, 3):
        session.feed(snapshot(1, seq, maps))
    assert len(run.pasts["calls"].times()) == 4
    assert (run.last.seq, run.previous.seq) == (3, 2)


def test_losses_are_the_worst_any_frame_told() -> None:
    session, run = started(EXECS)
    session.feed(snapshot(1, 0, {}, lost=3, evicted=1))
    session.feed(events(1, "events", columns(tgid=[1], args=["x"], errno=[""]), lost=5))
    session.feed(snapshot(1, 1, {}, lost=4, map_full=2))
    assert run.losses == Losses(lost=5, map_full=2, evicted=1)


def test_events_are_kept_in_order_the_last_ones() -> None:
    session, run = started(EXECS, event_rows=3)
    session.feed(events(1, "events", columns(tgid=[1, 2], args=["a", "b"], errno=["", "ENOENT"])))
    session.feed(events(1, "events", columns(tgid=[3, 4], args=["c", "d"], errno=["", ""])))
    log = run.events["events"]
    assert (log.total, log.kept) == (4, 3)
    chunks = list(log.since(0))
    assert [chunk["tgid"].tolist() for chunk in chunks] == [[2], [3, 4]]
    assert [chunk["args"].texts() for chunk in chunks] == [["b"], ["c", "d"]]
    assert [chunk["tgid"].tolist() for chunk in log.since(3)] == [[4]]
    assert list(log.since(4)) == []


def test_one_frame_with_more_events_than_are_kept() -> None:
    session, run = started(EXECS, event_rows=3)
    session.feed(events(1, "events", columns(tgid=list(range(10)), args=["a"] * 10, errno=[""] * 10)))
    assert [chunk["tgid"].tolist() for chunk in run.events["events"].since(0)] == [[7, 8, 9]]


def test_taken_events_are_gone() -> None:
    session, run = started(EXECS, event_rows=None)
    session.feed(events(1, "events", columns(tgid=[1], args=["a"], errno=[""])))
    assert len(run.events["events"].take()) == 1
    assert run.events["events"].take() == []
    assert run.events["events"].total == 1


def test_frames_of_an_unknown_run_are_passed_over() -> None:
    session = Session()
    assert session.feed(snapshot(9, 0, {})) is None
    assert session.feed(cost(9, 1, 1, 1)) is None
    assert session.runs == {}


BAD = [
    ({"tgid": [1], "slot": [3]}, "shows 'count', which map 'latency' doesn't hold"),
    ({"tgid": [1], "slot": [496], "count": [1]}, "slots from 496 to 496"),
    ({"tgid": [1], "slot": ["x"], "count": [1]}, "computes with 'slot'"),
    ({"tgid": ["x"], "slot": [1], "count": [1]}, "computes with 'tgid'"),
    ({"tgid": [1], "slot": [1], "count": np.array([0.5])}, "computes with 'count'"),
]


@pytest.mark.parametrize(("fields", "says"), BAD)
def test_a_snapshot_that_cannot_be_shown_is_refused(fields: dict[str, list[object]], says: str) -> None:
    session, _ = started(LATENCY)
    with pytest.raises(BadFrame, match=says):
        session.feed(snapshot(1, 0, {"latency": columns(**fields)}))


def test_a_negative_slot_is_refused() -> None:
    session, _ = started(LATENCY)
    fields = columns(tgid=[1], slot=np.array([-1], "<i4"), count=[1])
    with pytest.raises(BadFrame, match="slots from -1"):
        session.feed(snapshot(1, 0, {"latency": fields}))


def test_labels_out_of_range_are_refused() -> None:
    session, _ = started(EXECS)
    fields = columns(tgid=[1], errno=[""]) | {"args": Column(dtype="<u4", data=b"\x02\0\0\0", labels=["a"])}
    with pytest.raises(BadFrame, match="label 2 of 1"):
        session.feed(events(1, "events", fields))


def test_two_views_of_one_name_are_refused() -> None:
    with pytest.raises(BadFrame, match="two views of one name"):
        started(LATENCY, LATENCY)


def test_runs_that_are_over_are_forgotten_before_there_are_too_many() -> None:
    session = Session()
    for number in range(RUNS):
        session.feed(loaded(number, "cpu/some"))
    with pytest.raises(BadFrame, match="more than 256 probes"):
        session.feed(loaded(RUNS, "cpu/some"))
    session.feed(detached(7))
    session.feed(loaded(RUNS, "cpu/some"))
    assert list(session.runs) == [*range(7), *range(8, RUNS + 1)]


def test_stacks_are_accounted_like_everything_else() -> None:
    session, run = started(SAMPLES)
    session.feed(Stacks(functions=[Function(id=1, side="user", name="main")], stacks=[Stack(id=9, functions=[1])]))
    session.feed(snapshot(1, 0, {"counts": columns(tgid=[1, 2], stack=[9, 9], count=[3, 5])}))
    session.feed(snapshot(1, 1, {"counts": columns(tgid=[1, 2], stack=[9, 9], count=[10, 5])}))
    ledger = run.ledgers["samples"]
    assert ledger.totals["count"].tolist() == [10, 5]
    assert ledger.deltas["count"].tolist() == [7, 0]
    assert [run.stacks.functions[place].name for place in run.stacks.lookup([9])[0]] == ["main"]


def test_of_values_of_the_moment_only_the_last_count() -> None:
    session, run = started(msgspec.structs.replace(SAMPLES, gauge=True))
    session.feed(snapshot(1, 0, {"counts": columns(tgid=[1, 2], stack=[9, 9], count=[30, 5])}))
    session.feed(snapshot(1, 1, {"counts": columns(tgid=[1, 3], stack=[9, 9], count=[10, 4])}))
    ledger = run.ledgers["samples"]
    assert ledger.numbers("tgid").tolist() == [1, 2, 3]
    assert ledger.totals["count"].tolist() == ledger.deltas["count"].tolist() == [10, 0, 4]


def test_stacks_without_numbers_of_stacks_are_no_stacks() -> None:
    session, _ = started(SAMPLES)
    with pytest.raises(BadFrame, match="'stack'"):
        session.feed(snapshot(1, 0, {"counts": columns(tgid=[1], count=[3])}))
    with pytest.raises(BadFrame, match="'stack', which isn't a number"):
        session.feed(snapshot(1, 0, {"counts": columns(tgid=[1], stack=["x"], count=[3])}))


def test_marks_are_in_the_order_of_time_and_bounded() -> None:
    session = Session()
    session.feed(hello())
    for at in (3, 1, 2):
        session.feed(mark(f"m{at}", at))
    assert [one.text for one in session.marks] == ["m1", "m2", "m3"]
    for at in range(10, 10 + MARKS):
        session.feed(mark(f"m{at}", at))
    assert [one.text for one in (session.marks[0], session.marks[-1])] == ["m10", f"m{9 + MARKS}"]
    assert len(session.marks) == MARKS
    session.feed(hello())
    assert session.marks == []
