import numpy as np
import pytest

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import unpack
from ebpftop.frames.messages import AnyFrame, Events, Losses
from ebpftop.model import moments as module
from ebpftop.model.ahead import Ahead
from ebpftop.model.moments import Moments, counted
from ebpftop.model.past.span import Span
from ebpftop.model.session import Session
from ebpftop.model.stacks import sampled
from tests.support.frames import SECOND, TIMED, columns, hello, loaded, moments, snapshot, stacks


def added(*frames: Events) -> Moments:
    found = Moments(TIMED)
    for frame in frames:
        found.add(unpack(frame.columns))
    return found


def test_samples_are_in_the_order_of_time_though_cpus_write_side_by_side() -> None:
    found = added(moments(1, (5, 0, 1, 7), (9, 0, 1, 7)), moments(1, (8, 1, 2, 9), (12, 0, 1, 7)))
    assert found.all[["time", "cpu"]].tolist() == [(5, 0), (8, 1), (9, 0), (12, 0)]
    assert (found.total, found.kept, found.cpus) == (4, 4, [0, 1])


def test_a_span_holds_its_start_and_not_its_end() -> None:
    found = added(moments(1, (5, 0, 1, 7), (8, 1, 2, 9), (9, 0, 1, 7), (12, 0, 1, 3)))
    assert found.within(Span(5, 9))["time"].tolist() == [5, 8]
    assert found.within(Span(5, 13), cpu=0)["time"].tolist() == [5, 9, 12]
    processes, numbers, counts = counted(found.within(Span(0, 100)))
    assert list(zip(processes.tolist(), numbers.tolist(), counts.tolist(), strict=True)) == [
        (1, 3, 1),
        (1, 7, 2),
        (2, 9, 1),
    ]


def test_memory_is_bounded_and_the_newest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3000)
    found = Moments(TIMED)
    for at in range(0, 10_000, 500):
        found.add(unpack(moments(1, *((at + n, 0, 1, 7) for n in range(500))).columns))
    assert found.all["time"].tolist() == list(range(7000, 10_000))
    assert found.total == 10_000
    assert found.bytes <= 2 * 3000 * 20
    before = found.bytes
    assert found.shrink()
    assert found.all["time"].tolist() == list(range(8500, 10_000))
    assert found.bytes < before
    while found.shrink():
        pass
    assert found.kept == 0


@pytest.mark.parametrize("field", ["time", "cpu", "tgid", "stack"])
def test_columns_of_another_kind_are_refused(field: str) -> None:
    frame = moments(1, (5, 0, 1, 7))
    for wrong in ({}, columns(**{field: ["x"]}), columns(**{field: np.array([1.5])})):
        others = {name: column for name, column in frame.columns.items() if name != field}
        with pytest.raises(BadFrame, match=field):
            Moments(TIMED).add(unpack({**others, **wrong}))


def story() -> list[AnyFrame]:
    return [
        hello(live=False),
        loaded(1, "cpu/profile", TIMED),
        stacks({7: ["main", "wait"], 9: ["main", "burst"]}),
        moments(1, (1000 * SECOND + 5, 0, 1, 7), (1000 * SECOND + 8, 1, 1, 9), losses=Losses(lost=2)),
        snapshot(1, 0, {"counts": columns(tgid=[1, 1], stack=[7, 9], count=[1, 3])}),
        moments(1, (1001 * SECOND, 1, 2, 9)),
        snapshot(1, 1, {"counts": columns(tgid=[1, 1, 2], stack=[7, 9, 9], count=[1, 3, 1])}),
    ]


def test_a_run_keeps_its_samples_beside_the_counts_and_says_what_was_lost() -> None:
    session = Session()
    for frame in story():
        session.feed(frame)
    run = session.runs[1]
    assert run.events == {}
    assert run.losses.lost == 2
    found = sampled(run, TIMED, Span(1000 * SECOND, 1001 * SECOND), cpu=1)
    assert (found.keys["tgid"].tolist(), found.counts.tolist()) == ([1], [1])
    assert [[found.functions[place].name for place in stack] for stack in found.stacks] == [["main", "burst"]]
    assert len(sampled(run, TIMED, Span(0, 1))) == 0


def test_samples_count_to_the_bound_of_the_past() -> None:
    session = Session(past_bytes=1)
    for frame in story():
        session.feed(frame)
    assert session.runs[1].moments["samples"].kept == 0


def test_a_tape_has_all_samples_once_it_was_read_ahead() -> None:
    ahead = Ahead(1 << 24)
    session = Session(ahead=ahead.of)
    frames = story()
    for frame in (*frames[:3], *frames[5:]):  # after a jump
        session.feed(frame)
    assert session.runs[1].moments["samples"].kept == 1
    for frame in frames:
        ahead.feed(frame)
    assert session.runs[1].moments["samples"].kept == 3
