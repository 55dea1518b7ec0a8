"""Tapes for other tools: traces for Perfetto and profiles for pprof, read by other people's code."""

import csv
import io
import json
from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import ebpftop as package
from ebpftop.base.protobuf import Message
from ebpftop.export.headless import Format
from ebpftop.export.perfetto import KEYS, LANES, OTHERS
from ebpftop.export.tapes.exporting import export
from ebpftop.frames.messages import AnyFrame, ColumnInfo, ViewInfo
from ebpftop.frames.tape import TapeReader, TapeWriter
from tests.support import frames, profiles, tape_sums
from tests.support.command import complaint, ebpftop
from tests.support.frames import CALLS, LATENCY, SECOND, TIMED, columns, loaded, stacks
from tests.support.headless import PEOPLE, SAMPLED
from tests.support.schemas import check as check_shape

DEMO = Path(package.__file__).parent / "demo.tape"
SLOW = ViewInfo(
    name="slow",
    map="slow",
    show="events",
    title="Slow",
    columns=[
        ColumnInfo(field="time", title="time", decode="time"),
        ColumnInfo(field="tgid", title="process", decode="process"),
        ColumnInfo(field="path", title="path", decode="string"),
        ColumnInfo(field="took", title="took", unit="ns", role="gauge"),
    ],
)


def exported(path: Path, format: Format, *, raw: bool = False) -> bytes:
    out = io.BytesIO()
    assert export(TapeReader(path), format, out, raw=raw) == []
    return out.getvalue()


def tape(path: Path, *written: AnyFrame) -> Path:
    with TapeWriter(path, args=True) as writer:
        for frame in [frames.hello(), *written]:
            writer.write(frame)
    return path


@lru_cache
def sums() -> tape_sums.Sums:
    return tape_sums.read(DEMO)


@lru_cache
def trace(path: Path) -> profiles.Trace:
    return profiles.Trace(exported(path, "perfetto"))


def test_the_wire_format() -> None:
    """As https://protobuf.dev/programming-guides/encoding has it."""
    assert bytes(Message().whole(1, 150)) == b"\x08\x96\x01"
    assert bytes(Message().text(2, "testing")) == b"\x12\x07testing"
    assert bytes(Message().message(3, Message().whole(1, 150))) == b"\x1a\x03\x08\x96\x01"
    assert bytes(Message().packed(6, [3, 270, 86942])) == b"2\x06\x03\x8e\x02\x9e\xa7\x05"
    assert bytes(Message().whole(1, -2)) == b"\x08" + b"\xfe" + b"\xff" * 8 + b"\x01"
    assert bytes(Message().real(1, 1.0)) == b"\x09" + bytes(6) + b"\xf0\x3f"


# ---------------------------------------------------------------- the numbers of a real tape


def test_a_traces_counters_add_up_to_the_tape() -> None:
    found = trace(DEMO)
    checked = 0
    for run in sums().runs.values():
        for view in run.views.values():
            place = f"{run.probe}/{view.info['title']}"
            gained = view.gained()
            if view.info["show"] in ("histogram", "stacks"):
                count = sum(gains.total() for gains in gained.values())
                assert sum(value for _, value in found.counters[f"{place}/count"]) == count
                checked += 1
            elif view.info["show"] == "table":
                titles = {each["field"]: each["title"] for each in view.info["columns"]}
                for counter in {name for gains in gained.values() for name in gains}:
                    tracks = [name for name in found.counters if name.startswith(f"{place}/{titles[counter]}/")]
                    told = sum(value for name in tracks for _, value in found.counters[name])
                    assert told == sum(gains[counter] for gains in gained.values()), (place, counter)
                    checked += 1
    assert checked == 8


def test_a_traces_events_and_samples_are_the_tapes() -> None:
    found = trace(DEMO)
    counted: Counter[tuple[int, str]] = Counter()
    titles: dict[tuple[int, str], tuple[str, bool]] = {}
    for _, frame in tape_sums.frames(DEMO):
        if frame["kind"] == "loaded":
            for view in frame["views"]:
                name = view["map"] if view["show"] == "events" else view.get("moments")
                titles[frame["run"], name] = f"{frame['probe']}/{view['title']}", view["show"] == "events"
        elif frame["kind"] == "events":
            counted[frame["run"], frame["map"]] += frame["count"]
    assert sum(counted.values()) > 3000
    for at, count in counted.items():
        place, events = titles[at]
        told = [each for track, those in found.events.items() if track.startswith(place) for each in those]
        assert len(told if events else found.samples) == count, place
    assert found.events["marks"][0][2].startswith("A small web shop")
    assert {name for _, _, name, stack in found.samples if stack} >= {"web", "thumbnails"}


def test_a_profile_has_the_folded_stacks() -> None:
    found = profiles.profile(exported(DEMO, "pprof"))
    (counts,) = profiles.stacks(found).values()
    folded: Counter[str] = Counter()
    for line in exported(DEMO, "folded").decode().splitlines()[1:]:
        stack, _, count = line.rpartition(" ")
        folded[stack.replace("_[k]", "")] += int(count)
    assert sum(folded.values()) == counts.total() > 2000
    assert sorted(folded.values()) == sorted(counts.values())
    assert found.time_nanos > 1_700_000_000 * SECOND
    assert 60 * SECOND < found.duration_nanos < 600 * SECOND
    assert "losses: none" in found.string_table[found.comment[0]]


def test_json_and_csv_have_a_row_an_interval() -> None:
    lines = [json.loads(line) for line in exported(DEMO, "json").splitlines()]
    for line in lines:
        check_shape("run", line)
    told = Counter(line["probe"] for line in lines if "probe" in line)
    assert told["cpu/runqlat"] > 100
    (runqlat,) = (run for run in sums().runs.values() if run.probe == "cpu/runqlat")
    expected = sum(gains.total() for gains in runqlat.views["latency"].gained().values())
    counts = [
        series["count"]
        for line in lines
        if line.get("probe") == "cpu/runqlat"
        for series in line["views"]["latency"]["series"]
    ]
    assert sum(counts) == expected
    table = list(csv.reader(io.StringIO(exported(DEMO, "csv", raw=True).decode())))
    at = [row for row in table if row[1:3] == ["cpu/runqlat", "latency"]]
    assert sum(int(row[-1]) for row in at) == expected
    assert len({row[0] for row in at}) > 100


# ---------------------------------------------------------------- cases by hand


def test_a_stack_of_each_process(tmp_path: Path) -> None:
    found = profiles.profile(exported(tape(tmp_path / "a.tape", *SAMPLED), "pprof"))
    assert profiles.stacks(found) == {
        "CPU samples": Counter(
            {
                ("sh", "main", "[unknown] libc.so.6"): 11,
                ("sh", "main", "read", "ksys_read"): 10,
                ("make", "[no user stack]", "ksys_read"): 2,
            }
        )
    }
    files = {found.string_table[each.filename] for each in found.mapping}
    assert "/bin/app" in files
    assert "kernel" in files


@pytest.mark.parametrize(("unit", "theirs"), [("ns", "nanoseconds"), ("bytes", "bytes"), ("pages", "count")])
def test_units_of_a_profile(tmp_path: Path, unit: str, theirs: str) -> None:
    views = [
        ViewInfo(name=name, map=name, show="stacks", title=name, unit=unit, count="total") for name in ("off", "on")
    ]
    rows = {"off": columns(stack=[7], total=[1 << 50]), "on": columns(stack=[7], total=[3])}
    path = tape(tmp_path / "a.tape", loaded(1, "cpu/some", *views), stacks({7: ["f"]}), frames.snapshot(1, 0, rows))
    found = profiles.profile(exported(path, "pprof"))
    assert [found.string_table[each.unit] for each in found.sample_type] == [theirs, theirs]
    assert profiles.stacks(found) == {"off": Counter({("f",): 1 << 50}), "on": Counter({("f",): 3})}


def test_samples_have_time_cpu_process_and_stack(tmp_path: Path) -> None:
    path = tape(
        tmp_path / "a.tape",
        loaded(1, "cpu/profile", TIMED),
        PEOPLE,
        stacks({10: ["main", "read", "ksys_read_[k]"], 11: ["main", ""]}),
        frames.samples(1, 0, {}),
        frames.moments(1, (1000 * SECOND + 7, 0, 1, 10), (1000 * SECOND + 5, 1, 2, 11)),
        frames.samples(1, 1, {(1, 10): 1, (2, 11): 1}),
    )
    found = trace(path).samples
    assert [(cpu, name, stack) for _, cpu, name, stack in found] == [
        (1, "make", ("main", "[unknown] libc.so.6")),
        (0, "sh", ("main", "read", "ksys_read")),
    ]
    assert found[1][0] - found[0][0] == 2


def slow(*rows: tuple[int, int]) -> AnyFrame:
    """Events of `SLOW`: (end, how long), ns after the stream's time 2000 s."""
    times = np.array([2000 * SECOND + end for end, _ in rows], "<u8")
    took = np.array([each for _, each in rows], "<u8")
    who = np.array([1] * len(rows), "<u4")
    return frames.events(1, "slow", columns(time=times, tgid=who, path=["/etc/x"] * len(rows), took=took))


def test_what_took_long_is_a_slice_and_none_overlaps(tmp_path: Path) -> None:
    rows = [(100, 50), (120, 40), (130, 10), (200, 0), (300, 1)]
    path = tape(tmp_path / "a.tape", loaded(1, "disk/slow", SLOW), PEOPLE, frames.snapshot(1, 0, {}), slow(*rows))
    found = trace(path)
    start = 2000 * SECOND
    assert {
        track: [(begin - start, end - start) for begin, end, *_ in those] for track, those in found.events.items()
    } == {
        "disk/slow/Slow": [(200, 200)],
        "disk/slow/Slow/lane 1": [(50, 100), (120, 130), (299, 300)],
        "disk/slow/Slow/lane 2": [(80, 120)],
    }
    ((_, _, name, values),) = found.events["disk/slow/Slow/lane 2"]
    assert name == "sh /etc/x"
    assert values["took"] == 40
    assert values["path"] == "/etc/x"


def test_more_slices_at_once_than_tracks_are_instants(tmp_path: Path) -> None:
    rows = [(1000 + at, 900) for at in range(LANES + 3)]
    path = tape(tmp_path / "a.tape", loaded(1, "disk/slow", SLOW), PEOPLE, frames.snapshot(1, 0, {}), slow(*rows))
    found = trace(path).events
    assert sum(len(those) for track, those in found.items() if "lane " in track) == LANES
    assert len(found["disk/slow/Slow"]) == 3


def test_keys_beyond_the_tracks_are_one_track_and_a_silent_key_gains_nothing(tmp_path: Path) -> None:
    keys = KEYS + 7

    def sample(seq: int, counts: list[int]) -> AnyFrame:
        rows = columns(tgid=np.ones(keys, "<u4"), nr=[f"c{at}" for at in range(keys)], count=counts, last_ns=[0] * keys)
        return frames.snapshot(1, seq, {"calls": rows})

    path = tape(
        tmp_path / "a.tape",
        loaded(1, "cpu/some", CALLS),
        PEOPLE,
        sample(0, [1000 - at for at in range(keys)]),
        sample(1, [1000 - at + (at == 3) * 13 for at in range(keys)]),
    )
    found = trace(path)
    tracks = {name.rpartition("/")[2]: those for name, those in found.counters.items()}
    assert len(tracks) == KEYS + 1
    assert [value for _, value in tracks[OTHERS]] == [sum(1000 - at for at in range(KEYS, keys)), 0]
    assert [value for _, value in tracks["1001 sh c3"]] == [997, 13]
    assert [value for _, value in tracks["1001 sh c0"]] == [1000, 0]


def test_percentiles_have_a_unit_and_stand_at_the_beginning_of_their_interval(tmp_path: Path) -> None:
    rows = [columns(tgid=np.array([1], "<u4"), slot=[20], count=[count]) for count in (5, 7, 14)]
    path = tape(
        tmp_path / "a.tape",
        loaded(1, "cpu/some", LATENCY),
        PEOPLE,
        *(frames.snapshot(1, seq, {"latency": each}) for seq, each in enumerate(rows)),
    )
    found = trace(path)
    place = f"cpu/some/{LATENCY.title}"
    _, (first, _), (second, count) = found.counters[f"{place}/count"]
    assert (second - first, count) == (SECOND, 7)
    assert found.units[f"{place}/p99"] == 1
    assert found.units[f"{place}/count"] == 2
    low, high = tape_sums.lower(20), tape_sums.lower(21)
    assert low <= found.counters[f"{place}/p99"][2][1] <= high


def test_names_from_the_kernel_are_inert_in_both(tmp_path: Path) -> None:
    evil, inert = "\x1b[31m\n\u202e{}", r"\x1b[31m\n\u202e{}"
    written = [
        loaded(1, "cpu/profile", TIMED),
        frames.processes(frames.process(1, evil.format("process"))),
        stacks({10: [evil.format("function")]}),
        frames.moments(1, (1000 * SECOND, 0, 1, 10)),
        frames.samples(1, 0, {(1, 10): 3}),
    ]
    path = tape(tmp_path / "a.tape", *written)
    texts = list(profiles.profile(exported(path, "pprof")).string_table)
    assert {inert.format("process"), inert.format("function")} <= set(texts)
    assert all(map(str.isprintable, texts))
    ((_, _, process, functions),) = trace(path).samples
    assert (process, functions) == (inert.format("process"), (inert.format("function"),))


# ---------------------------------------------------------------- the command


def test_damage_is_told_and_what_was_read_is_written(tmp_path: Path) -> None:
    whole = DEMO.read_bytes()
    path, out = tmp_path / "cut.tape", tmp_path / "out.json"
    path.write_bytes(whole[: len(whole) // 2])
    done = ebpftop("tape", "export", path, "--format", "json", "-o", out)
    assert "the readable part was written" in complaint(done, 1)
    assert len(out.read_text().splitlines()) > 50


def test_bad_calls(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("mine")
    as_json = ("tape", "export", DEMO, "--format", "json")
    assert "exists; --force overwrites it" in complaint(ebpftop(*as_json, "-o", out), 1)
    assert out.read_text() == "mine"
    assert "--raw is for --format csv" in complaint(ebpftop(*as_json, "--raw"), 2)
    assert complaint(ebpftop("tape", "export", tmp_path / "none", "--format", "json"), 1)
    assert complaint(ebpftop(*as_json, "-o", tmp_path / "no" / "out"), 1)
    assert ebpftop("tape", "export", DEMO).returncode == 2
