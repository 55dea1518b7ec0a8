"""`ebpftop compare`: what it prints is what a reader of its own computes from the tape."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import ebpftop as program
from ebpftop.frames.columns import Labels, unpack
from ebpftop.frames.messages import AnyFrame, Loaded, Processes, Snapshot, ViewInfo
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.stats.slots import bounds
from tests.support.command import complaint, ebpftop
from tests.support.frames import (
    CALLS,
    EPOCH,
    EXECS,
    LATENCY,
    SECOND,
    columns,
    events,
    hello,
    loaded,
    process,
    processes,
    snapshot,
)

DEMO = Path(program.__file__).parent / "demo.tape"
Key = tuple[object, ...]


class Reader:
    """Every map of a tape by probe, as {key: value} of a counter, sample by sample."""

    def __init__(self, path: Path) -> None:
        timed = list(TapeReader(path))
        frames = [frame for _, frame in timed]
        self.loaded = {frame.run: frame for frame in frames if isinstance(frame, Loaded)}
        self.people = {p.id: p for frame in frames if isinstance(frame, Processes) for p in frame.processes}
        self.samples: dict[int, list[Snapshot]] = {}
        for frame in frames:
            if isinstance(frame, Snapshot):
                self.samples.setdefault(frame.run, []).append(frame)
        self.begin = next(frame.monotonic_ns - at for at, frame in timed if isinstance(frame, Snapshot))

    def gained(self, run: int, view: ViewInfo, counter: str, first: float, last: float) -> tuple[Counter[Key], float]:
        """By key fields, with the slot last; and the seconds."""
        keys = [c.field for c in view.columns if c.role == "key"] if view.show == "table" else [*view.by, view.slot]
        gained: Counter[Key] = Counter()
        seconds, before, then = 0.0, Counter[Key](), 0
        for sample in self.samples[run]:
            now: Counter[Key] = Counter()
            opened = {
                name: values.texts() if isinstance(values, Labels) else values.tolist()
                for name, values in unpack(sample.maps[view.map]).items()
            }
            for *key, value in zip(*(opened[name] for name in keys), opened[counter], strict=True):
                now[tuple(key)] += value
            at = (sample.monotonic_ns - self.begin) / 1e9
            if first < at <= last:
                seconds += (sample.monotonic_ns - then) / 1e9 if then else 0
                gained.update({key: value - (before[key] if value >= before[key] else 0) for key, value in now.items()})
            before, then = now, sample.monotonic_ns
        return gained, seconds

    def label(self, view: ViewInfo, key: Key) -> dict[str, object]:
        """As the output names a row."""
        found: dict[str, object] = {}
        for info, value in zip([c for c in view.columns if c.role == "key"], key, strict=False):
            person = self.people.get(value) if info.is_process else None
            if info.is_process:
                found |= {"pid": person.tgid if person else None, "comm": person.comm if person else None}
            else:
                found[info.title if info.field == "key" else info.field] = value
        return found


def percentile(slots: Counter[int], q: float) -> list[int] | None:
    values = sorted(slots.elements())
    return list(bounds(values[-(-round(q * 100) * len(values) // 100) - 1])) if values else None


def compared(*arguments: object) -> dict[str, Any]:
    done = ebpftop("compare", *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


A, B = (4, 22), (24, 45)


def test_every_number_is_what_the_tape_holds() -> None:
    tape = Reader(DEMO)
    found = compared(DEMO, "--a", "4..22", "--b", "24..45")
    seen = {probe["probe"]: probe for probe in found["probes"]}
    tables = histograms = 0
    for run, frame in tape.loaded.items():
        for view in frame.views:
            if view.show == "table":
                tables += 1
                check_table(tape, run, view, seen[frame.probe]["views"][view.name])
            if view.show == "histogram":
                histograms += 1
                check_histogram(tape, run, view, seen[frame.probe]["views"][view.name])
    assert (tables, histograms) == (2, 3)


def check_table(tape: Reader, run: int, view: ViewInfo, found: dict[str, Any]) -> None:
    assert found["rows"]
    for counter in view.counters:
        (before, a), (after, b) = (tape.gained(run, view, counter, *span) for span in (A, B))
        assert found["seconds"] == pytest.approx([a, b])
        wanted = [(json.dumps(tape.label(view, key)), before[key] / a, after[key] / b) for key in before | after]
        numbers = [(json.dumps(row["labels"]), row["numbers"][counter]) for row in found["rows"]]
        told = [(label, number["before"] or 0, number["after"] or 0) for label, number in numbers]
        for mine, its in zip(sorted(filter(gaining, wanted)), sorted(filter(gaining, told)), strict=True):
            assert mine[0] == its[0]
            assert mine[1:] == pytest.approx(its[1:])


def gaining(row: tuple[str, float, float]) -> bool:
    return bool(row[1] or row[2])


def check_histogram(tape: Reader, run: int, view: ViewInfo, found: dict[str, Any]) -> None:
    (before, a), (after, b) = (tape.gained(run, view, view.count, *span) for span in (A, B))
    assert found["seconds"] == pytest.approx([a, b])
    rows = {json.dumps(row["labels"]): row["numbers"] for row in found["rows"]}
    sides = [(before, a, "before"), (after, b, "after")]
    slots = [Counter[int](), Counter[int]()]
    for at, (gained, seconds, side) in enumerate(sides):
        by_key: dict[Key, Counter[int]] = {}
        for (*key, slot), count in gained.items():
            by_key.setdefault(tuple(key), Counter())[slot] += count
        for key, mine in by_key.items():
            slots[at] += mine
            if mine.total():
                numbers = rows[json.dumps(tape.label(view, key))]
                assert numbers["values"][side] == pytest.approx(mine.total() / seconds)
                assert [numbers[name][side] for name in ("p50", "p90", "p99")] == [
                    percentile(mine, q) for q in (0.5, 0.9, 0.99)
                ]
        assert found["whole"]["values"][side] == pytest.approx(slots[at].total() / seconds)
        assert found["whole"]["p99"][side] == percentile(slots[at], 0.99)
    assert found["buckets"] == [[*bounds(slot), slots[0][slot], slots[1][slot]] for slot in sorted(slots[0] | slots[1])]


def story(
    random: np.random.Generator, steps: int = 120, *, hosts: str = "web-03", boot: int = 0, slow: bool = True
) -> Iterator[AnyFrame]:
    """Two processes; from the middle on the second one calls three times as often and its p99 doubles, and a third one
    is there. The first one varies.
    """
    yield hello(host=hosts, boot_realtime_ns=EPOCH - 3600 * SECOND + boot)
    start = 3600 * SECOND
    yield processes(
        process(1, "steady"), process(2, "worse"), process(3, "late", start_ns=start + steps // 2 * SECOND + 1)
    )
    yield loaded(1, "cpu/runqlat", LATENCY)
    yield loaded(2, "cpu/syscount", CALLS)
    slots: Counter[tuple[int, int]] = Counter()
    calls: Counter[tuple[int, str]] = Counter({(1, "read"): 0})
    for seq in range(steps + 1):
        bad = slow and seq > steps // 2
        for tgid, rate in ((1, 200), (2, 600 if bad else 200), (3, 50 if bad else 0)):
            for slot in random.integers(40, 48, random.poisson(rate)).tolist():
                slots[tgid, slot + (8 if tgid == 2 and bad else 0)] += 1
            calls[tgid, "read"] += int(random.poisson(rate))
        calls[1, "write"] += seq == 3
        rows = {"tgid": [k[0] for k in slots], "slot": [k[1] for k in slots], "count": [*slots.values()]}
        yield snapshot(1, seq, {"latency": columns(**rows)})
        alive = {key: count for key, count in calls.items() if key[0] != 3 or bad}
        rows = {"tgid": [k[0] for k in alive], "nr": [k[1] for k in alive], "count": [*alive.values()]}
        yield snapshot(2, seq, {"calls": columns(**rows, last_ns=[0] * len(alive))})


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str = "a.tape", seed: int = 1, frames: Iterator[AnyFrame] | None = None, **changes: Any) -> Path:
        with TapeWriter(tmp_path / name, clock=lambda: 0) as tape:
            for frame in frames or story(np.random.default_rng(seed), **changes):
                tape.write(frame)
        return tmp_path / name

    return write


def rows_of(found: dict[str, Any], probe: int, view: str) -> dict[tuple[object, ...], dict[str, Any]]:
    rows = found["probes"][probe]["views"][view]["rows"]
    return {tuple(row["labels"].values()): row["numbers"] for row in rows}


def test_two_spans_of_a_tape(written: Callable[..., Path]) -> None:
    found = compared(written(), "--a", "0..60", "--b", "60..120")
    assert (found["differences"], found["only_before"], found["only_after"]) == ([], [], [])
    latency = rows_of(found, 0, "latency")
    assert [key[1] for key in latency] == ["worse", "late", "steady"]
    worse, steady, late = latency[1002, "worse"], latency[1001, "steady"], latency[1003, "late"]
    assert (worse["values"]["changed"], worse["p99"]["changed"]) == (True, True)
    assert (worse["p99"]["before"], worse["p99"]["after"]) == ([*bounds(47)], [*bounds(55)])
    assert bounds(55)[0] == 2 * bounds(47)[0]
    assert [number["changed"] for number in steady.values()] == [False] * 4
    assert (late["values"]["before"], late["values"]["changed"]) == (None, True)
    assert (late["p99"]["before"], late["p99"]["changed"]) == (None, None)
    calls = rows_of(found, 1, "calls")
    assert calls[1001, "steady", "write"]["count"] == {"before": pytest.approx(1 / 60), "after": 0, "changed": False}
    assert calls[1003, "late", "read"]["count"]["before"] is None
    whole = found["probes"][0]["views"]["latency"]["whole"]
    assert {name: number["changed"] for name, number in whole.items()} == dict.fromkeys(
        ("values", "p50", "p90", "p99"), True
    )


def test_what_only_varies_and_what_is_too_short(written: Callable[..., Path]) -> None:
    tape = written(slow=False)
    calm = compared(tape, "--a", "0..60", "--b", "60..120")
    for probe in calm["probes"]:
        for view in probe["views"].values():
            assert all(not n["changed"] for row in view["rows"] for n in row["numbers"].values())
    short = compared(tape, "--a", "0..60", "--b", "60..63")
    numbers = [n for row in short["probes"][0]["views"]["latency"]["rows"] for n in row["numbers"].values()]
    assert {n["changed"] for n in numbers} == {None}
    text = ebpftop("compare", tape, "--a", "0..60", "--b", "60..120").stdout
    assert "Run queue latency: within normal variation\n" in text
    assert "Run queue latency: too short to tell\n" in ebpftop("compare", tape, "--a", "0..60", "--b", "60..63").stdout


def test_text_shows_the_same(written: Callable[..., Path]) -> None:
    lines = ebpftop("compare", written(), "--a", "0..60", "--b", "60..120").stdout.splitlines()
    latency = next(line for line in lines if line.startswith("Run queue latency: "))
    assert latency.startswith("Run queue latency: values/s, p50, p90, p99 changed; ")
    worse = next(line for line in lines if "worse" in line).split()
    assert worse[:2] == ["1002", "worse"]
    assert "×3" in {text[:2] for text in worse}
    assert worse[-1].startswith("×2")
    late = next(line for line in lines if "late " in line)
    assert late.split()[2] == "–"
    steady = next(line for line in lines if "steady" in line)
    assert "~" in steady


def endless() -> Iterator[AnyFrame]:
    """A gauge that is infinite, no number, or so large that two of them have no sum."""
    yield hello()
    yield processes(*(process(each, f"p{each}") for each in range(1, 6)))
    yield loaded(1, "cpu/syscount", CALLS)
    for seq in range(9):
        values = np.array([np.inf, -np.inf, np.nan, 1.7e308, 5], "<f8")
        rows = columns(tgid=range(1, 6), nr=["read"] * 5, count=[9 * seq] * 5, last_ns=values)
        yield snapshot(1, seq, {"calls": rows})


def test_numbers_without_end_are_missing(written: Callable[..., Path]) -> None:
    tape = written(frames=endless())
    rows = rows_of(compared(tape, tape), 0, "calls")
    assert [rows[key]["last_ns"]["after"] for key in sorted(rows)] == [None, None, None, None, 5]
    for arguments in ((tape, tape), (tape, "--a", "0..4", "--b", "4..8")):
        done = ebpftop("compare", *arguments)
        assert (done.returncode, done.stderr) == (0, "")


EVENTS = msgspec.structs.replace(EXECS, columns=EXECS.columns[:2])


def started(steps: int = 60) -> Iterator[AnyFrame]:
    """steady starts a program a second; from the middle on worse starts four. And the size of a map, which grows."""
    yield hello()
    yield processes(process(1, "steady", user="db"), process(2, "worse", user="www"))
    yield loaded(1, "cpu/execsnoop", EVENTS)
    yield snapshot(1, 0, {})
    for seq in range(1, steps + 1):
        rows = [(1, "/bin/a"), *[(2, "/bin/b")] * (4 if seq > steps // 2 else 0)]
        tgids, args = zip(*rows, strict=True)
        yield events(1, "events", columns(tgid=list(tgids), args=list(args)))
        yield snapshot(1, seq, {})


def test_events_are_counted_by_a_dimension(written: Callable[..., Path]) -> None:
    tape = written(frames=started())
    spans = ("--a", "0..30", "--b", "30..60")
    found = compared(tape, *spans)
    view = found["probes"][0]["views"]["execs"]
    assert (view["kind"], view["by"], view["seconds"]) == ("events", "name", [30.0, 30.0])
    assert rows_of(found, 0, "execs") == {
        ("worse",): {"events": {"before": 0.0, "after": 4.0, "changed": True}},
        ("steady",): {"events": {"before": 1.0, "after": 1.0, "changed": False}},
    }
    assert found["before"]["to_ns"] == found["after"]["from_ns"] == EPOCH + 30 * SECOND
    found = compared(tape, *spans, "--by", "process")
    assert set(rows_of(found, 0, "execs")) == {(1001, "steady"), (1002, "worse")}
    text = ebpftop("compare", tape, *spans, "--by", "user").stdout
    assert "Programs started by user: 1 row changed\n" in text
    assert "www" in text
    wrong = ebpftop("compare", tape, *spans, "--by", "colour")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "no view can be summed by 'colour': only by process, arguments, name" in wrong.stderr


def test_rows_are_summed_and_values_of_the_moment_shown(written: Callable[..., Path]) -> None:
    tape = written()
    spans = ("--a", "0..60", "--b", "60..120")
    rows, groups = (rows_of(compared(tape, *spans, *by), 1, "calls") for by in ((), ("--by", "call")))
    for side in ("before", "after"):
        assert groups["read",]["count"][side] == pytest.approx(
            sum(row["count"][side] or 0 for key, row in rows.items() if key[2] == "read")
        )
    assert set(groups["read",]) == {"count"}
    assert rows[1001, "steady", "read"]["last_ns.max"] == {"before": 0.0, "after": 0.0, "changed": None}


def test_times_of_day(written: Callable[..., Path]) -> None:
    from datetime import datetime

    tape = written()
    spans = [f"{datetime.fromtimestamp(EPOCH // SECOND + at):%H:%M:%S}" for at in (0, 60, 120)]
    by_clock = compared(tape, "--a", f"{spans[0]}..{spans[1]}", "--b", f"{spans[1]}..{spans[2]}")
    assert by_clock == compared(tape, "--a", "0..60", "--b", "60..120")
    assert by_clock == compared(tape, "--a", "..60", "--b", "60..")


def test_two_tapes_of_one_boot_match_processes_by_their_start(written: Callable[..., Path]) -> None:
    def renumbered() -> Iterator[AnyFrame]:
        """The same processes under other numbers."""
        for frame in story(np.random.default_rng(2)):
            if isinstance(frame, Processes):
                frame = processes(*(msgspec.structs.replace(p, id=10 + p.id) for p in frame.processes))
            if isinstance(frame, Snapshot):
                maps = {
                    name: {**map_, "tgid": columns(tgid=(unpack(map_)["tgid"] + 10).astype("<u8"))["tgid"]}
                    for name, map_ in frame.maps.items()
                }
                frame = msgspec.structs.replace(frame, maps=maps)
            yield frame

    found = compared(written(), written("b.tape", frames=renumbered()))
    latency = rows_of(found, 0, "latency")
    assert set(latency) == {(1001, "steady"), (1002, "worse"), (1003, "late")}
    assert all(numbers["values"]["before"] and numbers["values"]["after"] for numbers in latency.values())


def test_tapes_of_other_machines_probes_and_parameters(written: Callable[..., Path]) -> None:
    def other() -> Iterator[AnyFrame]:
        for frame in story(np.random.default_rng(3), hosts="web-04\x1b[31m", boot=86_400 * SECOND):
            if isinstance(frame, Loaded) and frame.run == 1:
                frame = msgspec.structs.replace(frame, params={"pid": "7"}, variant="classic")
            if isinstance(frame, Loaded) and frame.run == 2:
                frame = loaded(2, "cpu/pidpersec", CALLS)
            yield frame

    tapes = written(), written("b.tape", frames=other())
    found = compared(*tapes)
    assert found["differences"] == ["host: web-03 → web-04\\x1b[31m"]
    assert (found["only_before"], found["only_after"]) == (["cpu/syscount"], ["cpu/pidpersec"])
    (probe,) = found["probes"]
    assert probe["differences"] == ["parameters: none → pid=7", "variant: raw → classic"]
    assert set(rows_of(found, 0, "latency")) == {("steady",), ("worse",), ("late",)}
    text = ebpftop("compare", *tapes).stdout
    assert "cpu/syscount: not compared, only before" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("spans", "status", "words"),
    [
        ((), 2, "--a FROM..TO --b FROM..TO"),
        (("--a", "0..5"), 2, "--a FROM..TO --b FROM..TO"),
        (("--a", "yesterday", "--b", "1..2"), 2, "'yesterday' is not FROM..TO"),
        (("--a", "noon..2", "--b", "1..2"), 2, "'noon' is neither seconds nor a time of day"),
        (("--a", "25:00..26:00", "--b", "1..2"), 2, "'25:00' is not a time of day"),
        (("--a", "9..5", "--b", "1..2"), 2, "ends before it starts"),
        (("--a", "0..5", "--b", "500..600"), 1, "has no samples in that span, only from "),
    ],
)
def test_spans_that_hold_nothing_or_make_no_sense(
    written: Callable[..., Path], spans: tuple[str, ...], status: int, words: str
) -> None:
    done = ebpftop("compare", written(steps=10), *spans)
    assert done.returncode == status
    assert words in done.stderr.splitlines()[-1]


def test_of_a_tape_with_several_streams_the_one_with_most_steps_is_compared(written: Callable[..., Path]) -> None:
    """As after a restart of the collector."""

    def twice() -> Iterator[AnyFrame]:
        yield from story(np.random.default_rng(4), steps=8)
        yield from story(np.random.default_rng(5), steps=20)

    once, both = written(), written("b.tape", frames=twice())
    found = compared(once, both)
    assert found["probes"][0]["views"]["latency"]["steps"] == [120, 20]


def test_tapes_that_cannot_be_read(tmp_path: Path, written: Callable[..., Path]) -> None:
    (tmp_path / "no.tape").write_text("nothing")
    assert "not an ebpftop tape" in complaint(ebpftop("compare", tmp_path / "no.tape", written()), 1)
    assert "No such file" in complaint(ebpftop("compare", written("b.tape"), tmp_path / "none.tape"), 1)
    whole = written("c.tape").read_bytes()
    (tmp_path / "cut.tape").write_bytes(whole[: len(whole) // 2])
    cut = ebpftop("compare", written("d.tape"), tmp_path / "cut.tape", "--json")
    assert cut.returncode == 1
    assert "is truncated after" in cut.stderr
    assert json.loads(cut.stdout)["probes"]
    empty = written("e.tape", frames=iter([hello()]))
    assert "has no samples" in complaint(ebpftop("compare", empty, empty), 1)
