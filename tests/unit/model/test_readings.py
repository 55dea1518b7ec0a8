import math

import pytest

from ebpftop.frames.columns import Values
from ebpftop.frames.messages import ViewInfo
from ebpftop.model import readings
from ebpftop.model.past.span import START, Recent
from ebpftop.model.run import Run
from ebpftop.model.session import Session
from tests.support.frames import CALLS, LATENCY, SECOND, columns, cost, hello, loaded, snapshot

FLAT = ViewInfo(name="flat", map="latency", show="histogram", title="All", unit="ns")


def fed(*frames: object) -> Run:
    session = Session()
    session.feed(hello())
    for frame in frames:
        session.feed(frame)
    return session.runs[1]


def latency(seq: int, rows: list[tuple[int, int, int]], at: float | None = None) -> object:
    tgid, slot, count = ([row[i] for row in rows] for i in range(3))
    return snapshot(1, seq, {"latency": columns(tgid=tgid, slot=slot, count=count)}, at=at)


def calls(seq: int, rows: list[tuple[int, str, int, int]], at: float | None = None) -> object:
    tgid, nr, count, last = ([row[i] for row in rows] for i in range(4))
    return snapshot(1, seq, {"calls": columns(tgid=tgid, nr=nr, count=count, last_ns=last)}, at=at)


@pytest.fixture
def run() -> Run:
    return fed(
        loaded(1, "cpu/runqlat", LATENCY, FLAT),
        latency(0, [(1, 3, 10)]),
        latency(1, [(1, 3, 12), (2, 5, 4), (2, 6, 1)]),
        latency(2, [(2, 5, 6), (2, 6, 1), (3, 0, 1)], at=3.0),
    )


def pairs(histogram: readings.Histogram) -> list[tuple[int, int]]:
    return list(zip(histogram.slots.tolist(), histogram.counts.tolist(), strict=True))


def test_a_histogram_of_the_last_interval_and_since_the_start(run: Run) -> None:
    assert pairs(readings.histogram(run, LATENCY)) == [(0, 1), (5, 2)]
    assert pairs(readings.histogram(run, LATENCY, wanted=START)) == [(0, 1), (3, 12), (5, 6), (6, 1)]


def test_a_histogram_of_one_key(run: Run) -> None:
    assert pairs(readings.histogram(run, LATENCY, {"tgid": 2})) == [(5, 2)]
    assert pairs(readings.histogram(run, LATENCY, {"tgid": 2}, wanted=START)) == [(5, 6), (6, 1)]
    assert pairs(readings.histogram(run, LATENCY, {"tgid": 99}, wanted=START)) == []


def test_a_view_without_keys_adds_them_up(run: Run) -> None:
    assert pairs(readings.histogram(run, FLAT, wanted=START)) == [(0, 1), (3, 12), (5, 6), (6, 1)]


def test_histograms_by_key(run: Run) -> None:
    keyed = readings.histograms_by_key(run, LATENCY, START)
    assert numbers(keyed.keys["tgid"]) == [1, 2, 3]
    assert keyed.counts.tolist() == [12, 7, 1]
    assert keyed.rates.tolist() == [4.0, 7 / 3, 1 / 3]
    assert [bound.tolist() for bound in keyed.groups.quantiles(1.0)] == [[3, 6, 0], [4, 7, 1]]
    assert pairs(keyed.groups.histogram(1)) == [(5, 6), (6, 1)]
    now = readings.histograms_by_key(run, LATENCY)
    assert numbers(now.keys["tgid"]) == [2, 3]
    assert now.counts.tolist() == [2, 1]


def numbers(values: Values) -> list[int]:
    assert not isinstance(values, readings.Labels)
    return values.tolist()


def test_series_of_all_keys_and_of_one(run: Run) -> None:
    whole = readings.series(run, LATENCY)
    assert [(each.seconds, each.histogram.count) for each in whole] == [(0.0, 10), (1.0, 7), (2.0, 3)]
    one = readings.series(run, LATENCY, {"tgid": 2})
    assert [(each.seconds, each.histogram.count) for each in one] == [(0.0, 0), (1.0, 5), (2.0, 2)]
    assert [pairs(each.histogram) for each in one] == [[], [(5, 4), (6, 1)], [(5, 2)]]


def test_a_series_has_the_last_steps_until_the_end_of_a_span() -> None:
    session = Session()
    session.feed(hello())
    run = session.feed(loaded(1, "cpu/runqlat", LATENCY))
    for seq in range(150):
        session.feed(latency(seq, [(1, 3, seq * seq), (2, 4, seq)]))
    now = readings.series(run, LATENCY, {"tgid": 1})
    assert [each.histogram.count for each in now] == [2 * seq - 1 for seq in range(90, 150)]
    assert {each.seconds for each in now} == {1.0}
    whole = readings.series(run, LATENCY, steps=2)
    assert [pairs(each.histogram) for each in whole] == [[(3, 295), (4, 1)], [(3, 297), (4, 1)]]
    for end in (0, 1, 20, 61, 62, 149):
        then = readings.series(run, LATENCY, {"tgid": 1}, Recent(0.0, 1000 * SECOND + end * SECOND))
        assert [each.histogram.count for each in then] == [
            max(0, 2 * seq - 1) for seq in range(max(0, end - 59), end + 1)
        ]
        assert [each.seconds for each in then] == [float(seq > 0) for seq in range(max(0, end - 59), end + 1)]


def test_histograms_by_a_text_key() -> None:
    by_device = ViewInfo(name="io", map="io", show="histogram", title="I/O", unit="ns", by=["device"])
    run = fed(
        loaded(1, "disk/biolatency", by_device),
        snapshot(1, 0, {"io": columns(device=["sda", "vda"], slot=[1, 1], count=[5, 6])}),
        snapshot(1, 1, {"io": columns(device=["vda", "nvme", "sda"], slot=[1, 2, 1], count=[7, 3, 5])}),
    )
    keyed = readings.histograms_by_key(run, by_device)
    texts = keyed.keys["device"].texts()
    assert dict(zip(texts, keyed.counts.tolist(), strict=True)) == {"vda": 1, "nvme": 3}
    assert pairs(readings.histogram(run, by_device, {"device": "vda"}, START)) == [(1, 7)]
    assert [each.histogram.count for each in readings.series(run, by_device, {"device": "nvme"})] == [0, 3]


def test_a_table_has_totals_differences_rates_and_gauges() -> None:
    run = fed(
        loaded(1, "cpu/syscount", CALLS),
        calls(0, [(1, "read", 10, 5), (2, "write", 1, 6)]),
        calls(1, [(1, "read", 30, 7), (3, "open", 3, 8)], at=2.0),
    )
    table = readings.table(run, CALLS)
    assert numbers(table.keys["tgid"]) == [1, 2, 3]
    assert table.keys["nr"].texts() == ["read", "write", "open"]
    assert table.totals["count"].tolist() == [30, 1, 3]
    assert table.gains["count"].tolist() == [20, 0, 3]
    assert table.rates["count"].tolist() == [10.0, 0.0, 1.5]
    assert numbers(table.gauges["last_ns"]) == [7, 6, 8]
    assert table.present.tolist() == [True, False, True]
    assert run.pasts["calls"].sums("count").tolist() == [11, 23]


def test_rates_are_unknown_before_the_second_sample() -> None:
    run = fed(loaded(1, "cpu/syscount", CALLS), calls(0, [(1, "read", 10, 5)]))
    assert math.isnan(readings.table(run, CALLS).rates["count"][0])
    assert readings.table(run, CALLS).gains["count"].tolist() == [10]


def test_a_run_without_samples_shows_nothing() -> None:
    run = fed(loaded(1, "cpu/both", CALLS, LATENCY))
    assert len(readings.table(run, CALLS)) == len(readings.histograms_by_key(run, LATENCY)) == 0
    assert readings.histogram(run, LATENCY).count == 0
    assert readings.series(run, LATENCY) == []


def test_differences_always_sum_to_the_totals() -> None:
    frames = [loaded(1, "cpu/runqlat", LATENCY)]
    for seq in range(1, 20):
        rows = [(key, key % 7, seq * key) for key in range(seq % 5, 40, 1 + seq % 3)]
        frames.append(latency(seq, rows))
    run = fed(*frames)
    summed = sum(each.histogram.count for each in readings.series(run, LATENCY))
    assert summed == readings.histogram(run, LATENCY, wanted=START).count > 0


def test_cost_between_the_last_two() -> None:
    run = fed(loaded(1, "cpu/x"), cost(1, 0, 100, 20_000), cost(1, 1, 300, 10_020_000), cost(1, 3, 500, 30_020_000))
    now = readings.cost(run)
    assert (now.run_count, now.run_time_ns, now.cpu_percent, now.ns_per_event) == (500, 30_020_000, 1.0, 60_040.0)


def test_cost_is_unknown_while_the_kernel_does_not_count() -> None:
    assert readings.cost(fed(loaded(1, "cpu/x"))) is None
    run = fed(loaded(1, "cpu/x"), cost(1, 0, 0, 0, accounted=False), cost(1, 1, 0, 0, accounted=False))
    now = readings.cost(run)
    assert (now.cpu_percent, now.ns_per_event) == (None, None)
