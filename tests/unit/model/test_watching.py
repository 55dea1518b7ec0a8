"""When triggers fire."""

import pytest

from ebpftop.frames.messages import AnyFrame, Mark, Notice, ViewInfo
from ebpftop.model.session import Session
from ebpftop.model.trigger import parse
from ebpftop.model.watching import Watching
from ebpftop.stats.slots import slot_of
from tests.support.frames import (
    CALLS,
    EXECS,
    LATENCY,
    columns,
    detached,
    events,
    hello,
    loaded,
    process,
    processes,
    snapshot,
)

SECOND = 1_000_000_000


class Watched:
    """A session, and what a trigger makes of it."""

    def __init__(self, trigger: str, *views: ViewInfo, probe: str = "cpu/some") -> None:
        self.session = Session(history=2, event_rows=1, past_bytes=0)
        self.watching = Watching([parse(trigger)])
        self.told: list[Mark | Notice] = []
        people = processes(process(1, "nginx", command="nginx -g"), process(2, "curl", command="curl http://x"))
        self.take(hello(), people, loaded(1, probe, *views))

    def take(self, *frames: AnyFrame) -> None:
        for frame in frames:
            run = self.session.feed(frame)
            self.told += self.watching.take(frame, run, self.session.processes)

    @property
    def fired(self) -> list[float]:
        """Seconds after the first sample."""
        return [mark.monotonic_ns / SECOND - 1000 for mark in self.told if isinstance(mark, Mark)]

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.told]


class Latencies(Watched):
    """One value a second and process, in ns."""

    def __init__(self, trigger: str) -> None:
        super().__init__(trigger, LATENCY)
        self._counts: dict[tuple[int, int], int] = {}
        self._seq = -1

    def second(self, *values: tuple[int, int]) -> None:
        self._seq += 1
        for tgid, ns in values:
            key = tgid, slot_of(ns)
            self._counts[key] = self._counts.get(key, 0) + 1
        rows = [*self._counts.items()]
        held = columns(
            tgid=[tgid for (tgid, _), _ in rows], slot=[slot for (_, slot), _ in rows], count=[n for _, n in rows]
        )
        self.take(
            snapshot(1, self._seq, {"latency": held} if rows else {"latency": columns(tgid=[], slot=[], count=[])})
        )


MS = 1_000_000


def test_a_percentile_must_stay_beyond_for_the_whole_time() -> None:
    on = Latencies("some p99 > 20ms for 3s")
    for ns in (1, 30, 30, 1, 30, 30, 30, 30):  # from the second 4 on, so the samples 4, 5 and 6
        on.second((1, ns * MS))
    assert on.fired == [6.0]
    assert on.texts == ["some p99 > 20ms for 3s: 29–31 ms"]
    assert on.told[0] == Mark(
        realtime_ns=1_700_000_006 * SECOND,
        monotonic_ns=1006 * SECOND,
        boottime_ns=3606 * SECOND,
        text="some p99 > 20ms for 3s: 29–31 ms",
        origin="trigger",
    )


def test_it_fires_once_an_episode_however_it_flaps() -> None:
    on = Latencies("some p99 > 20ms")
    for second in range(100):
        on.second((1, (30 if second < 40 and second % 3 else 1) * MS))  # flaps, then is calm
    on.second((1, 30 * MS))
    assert on.fired == [1.0, 100.0]


def test_a_percentile_counts_only_where_it_is_certainly_beyond() -> None:
    """Values are known by slots: the one that holds 20 ms is no proof."""
    on = Latencies("some p99 > 20ms")
    for ns in (1, 20 * MS + 1, 20 * MS + 1, 23 * MS):
        on.second((1, ns))
    assert on.fired == [3.0]
    below = Latencies("some max < 20ms")
    for ns in (30 * MS, 20 * MS - 1, 15 * MS):
        below.second((1, ns))
    assert below.fired == [2.0]


def test_words_choose_the_processes() -> None:
    on = Latencies('some p50("CURL http") > 20ms')
    on.second()
    for _ in range(5):
        on.second((1, 90 * MS), (2, 1 * MS))
    on.second((1, 1 * MS), (1, 1 * MS), (2, 90 * MS))
    assert on.fired == [6.0]
    pid = Latencies('some p50("1002") > 20ms')
    pid.second()
    pid.second((1, 90 * MS))
    pid.second((2, 90 * MS))
    assert pid.fired == [2.0]


def test_an_interval_without_values_is_beyond_nothing() -> None:
    on = Latencies("some p99 < 1s for 2s")
    for values in ((), ((1, 5),), (), ((1, 5),), ((1, 5),)):
        on.second(*values)
    assert on.fired == [4.0]


def test_a_rate_of_a_table() -> None:
    on = Watched("some rate > 100/s for 2s", CALLS)
    total = 0
    for second, calls in enumerate((500, 50, 101, 100, 101, 101)):
        total += calls
        on.take(snapshot(1, second, {"calls": columns(tgid=[1], nr=["read"], count=[total], last_ns=[0])}))
    assert on.fired == [5.0]
    assert on.texts == ["some rate > 100/s for 2s: 101/s"]


def test_a_rate_of_the_chosen_rows() -> None:
    on = Watched('some rate("openat") > 5/s', CALLS)
    for second, (reads, opens) in enumerate(((0, 0), (90, 5), (180, 11))):
        rows = columns(tgid=[1, 1], nr=["read", "openat"], count=[reads, opens], last_ns=[0, 0])
        on.take(snapshot(1, second, {"calls": rows}))
    assert on.fired == [2.0]
    assert on.texts == ['some rate("openat") > 5/s: 6/s']


def test_a_gauge_of_the_greatest_row_that_is_there() -> None:
    on = Watched("some last_ns > 5us", CALLS)
    for second, (tgids, last) in enumerate((([1, 2], [9000, 10]), ([1, 2], [10, 20]), ([2], [30]), ([2], [6000]))):
        rows = columns(tgid=tgids, nr=["read"] * len(tgids), count=[1] * len(tgids), last_ns=last)
        on.take(snapshot(1, second, {"calls": rows}))
    assert on.fired == [3.0]
    assert on.texts == ["some last_ns > 5us: 6 µs"]


def test_events_that_hold_words_add_up_over_the_time() -> None:
    on = Watched('some count("curl") > 5 for 10s', EXECS)
    on.take(snapshot(1, 0, {}))
    for second in range(1, 31):
        started = ["curl http://x", "make all"] if second % 3 == 0 or second > 20 else ["make all"]
        on.take(events(1, "events", columns(tgid=[1] * len(started), args=started, errno=["ok"] * len(started))))
        on.take(snapshot(1, second, {}))
    assert on.fired == [24.0]  # 15, 18 and 21 to 24: six in ten seconds, for the first time
    assert on.texts == ['some count("curl") > 5 for 10s: 6']


def test_losses_add_up_from_the_first_sample_on() -> None:
    on = Watched("some lost > 10 for 3s", LATENCY)
    for second, lost in enumerate((100, 105, 105, 110, 110, 121)):
        on.take(snapshot(1, second, {}, lost=lost))
    assert on.fired == [5.0]
    assert on.texts == ["some lost > 10 for 3s: 16"]


def test_a_trigger_that_a_variant_can_not_serve_is_told_once() -> None:
    on = Watched("some p99 > 20ms", CALLS)
    assert on.texts == [
        "some p99 > 20ms: never fires: some has no histogram for p99; "
        "it has rate, count, last_ns, lost, map_full, evicted, missed"
    ]
    on.take(snapshot(1, 0, {}), snapshot(1, 1, {}))
    assert len(on.told) == 1


@pytest.mark.parametrize("probe", ["disk/some", "cpu/other", "some/cpu"])
def test_other_probes_are_left_alone(probe: str) -> None:
    on = Watched("cpu/some lost > 0", LATENCY, probe=probe)
    on.take(snapshot(1, 0, {}), snapshot(1, 1, {}, lost=5))
    assert on.told == []


def test_a_run_that_ended_is_forgotten() -> None:
    on = Watched("some lost > 0", LATENCY)
    on.take(snapshot(1, 0, {}), detached(1), snapshot(1, 1, {}, lost=5))
    assert on.told == []


def test_a_trigger_that_comes_later_watches_what_runs() -> None:
    on = Watched("some lost > 1M", LATENCY)
    on.take(snapshot(1, 0, {}))
    trigger = parse("some lost > 3")
    assert on.watching.add(trigger, on.session.runs.values()) == []
    assert on.watching.add(trigger, on.session.runs.values()) == []
    on.take(snapshot(1, 1, {}, lost=5))
    assert on.texts == ["some lost > 3: 5"]
    (wrong,) = on.watching.add(parse("some rat > 3"), on.session.runs.values())
    assert isinstance(wrong, Notice)
    assert "did you mean rate?" in wrong.text


def test_losses_from_before_a_trigger_came_are_not_its_own() -> None:
    on = Watched("some lost > 1M", LATENCY)
    on.take(snapshot(1, 0, {}), snapshot(1, 1, {}, lost=500))
    on.watching.add(parse("some lost > 3 for 10s"), on.session.runs.values())
    on.take(snapshot(1, 2, {}, lost=500))
    assert on.told == []
    on.take(snapshot(1, 3, {}, lost=504))
    assert on.texts == ["some lost > 3 for 10s: 4"]
