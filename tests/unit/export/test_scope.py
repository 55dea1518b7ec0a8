"""What is exported is what is shown: selected, summed, sliced, filtered. Parts add up to the whole in every format."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from ebpftop.export.gathered import gather
from ebpftop.export.reporting import Format, content, data
from ebpftop.export.taped import Chapter, Taped, read
from ebpftop.frames.messages import AnyFrame
from ebpftop.frames.tape import TapeReader
from ebpftop.model.dimensions import function_key
from ebpftop.model.grouping import groupings
from ebpftop.model.moments import Slice
from ebpftop.model.past.span import ALL, Span
from ebpftop.model.scope import Aspect, Scope, place
from ebpftop.model.selection import Choice, Selection
from ebpftop.model.session import Session
from tests.support import hand_tape, tape_sums
from tests.support.frames import (
    CALLS,
    EXECS,
    LATENCY,
    SECOND,
    TIMED,
    columns,
    events,
    hello,
    loaded,
    moments,
    process,
    processes,
    snapshot,
    stacks,
)
from tests.support.page_reader import Report
from tests.support.schemas import check as check_shape
from tests.support.tape_scopes import below, grouped
from tests.support.tape_sums import lower

BEGIN = 1000 * SECOND
VIEWS = (CALLS, LATENCY, TIMED, EXECS)
PEOPLE = [
    process(1, "sh", user="root", cgroup="/a"),
    process(2, "make", user="build", ppid=1001, parent="sh", cgroup="/a/b"),
    process(3, "cc, =x", user="build", ppid=1002, parent="make", cgroup="/a/c"),
    process(4, "ebpftop", own=True),
]
Sums = Counter[tuple[Any, ...]]


def told(seconds: list[dict[int, int]]) -> list[AnyFrame]:
    """Each second what each process did since the one before: as calls, waits, samples and events."""
    found: list[AnyFrame] = [
        hello(),
        processes(*PEOPLE),
        stacks({1: ["main", "f"], 2: ["main", "g"], 3: ["main"], 4: ["main", "f", "h"]}),
        loaded(1, "cpu/some", *VIEWS),
    ]
    total: Counter[int] = Counter({1: 0})
    for second, counts in enumerate(seconds):
        total.update(counts)
        keys, values = [*total], [*total.values()]
        numbers = np.array(keys, "<u4")
        maps = {
            "calls": columns(tgid=numbers, nr=[f"call {key % 2}" for key in keys], count=values, last_ns=values),
            "latency": columns(tgid=numbers, slot=np.array([8 * key for key in keys], "<u4"), count=values),
            "counts": columns(tgid=numbers, stack=numbers, count=values),
        }
        begin = BEGIN + (second - 1) * SECOND
        fell = [(begin + 1 + at * 1000 + key, key % 2, key, key) for key, n in counts.items() for at in range(n % 50)]
        if fell:
            found.append(moments(1, *sorted(fell)))
        for key, count in counts.items():
            rows = columns(tgid=[key], args=[f"-O{count}"], errno=["EPERM" if count % 2 else ""])
            found.append(events(1, "events", rows))
        found.append(snapshot(1, second, maps))
    return found


def chapter(seconds: list[dict[int, int]]) -> Chapter:
    found = Chapter()
    for at, frame in enumerate(told(seconds)):
        found.take(at, frame)
    return found


def selection(*choices: tuple[str, int | str, bool]) -> Selection:
    return Selection(tuple(Choice(name, value, name, str(value), excluded) for name, value, excluded in choices))


def written(format: Format, each: Chapter, scope: Scope) -> str:
    return data(format, gather(each, scope).runs).decode()


# ---------------------------------------------------------------- what the formats hold, by view


def tables(text: str) -> Iterable[tuple[str, list[dict[str, str]]]]:
    """(what is said of it, rows) of each table of a CSV file."""
    for block in text.split("\n\n"):
        said, _, table = block.partition("\n")
        yield said, list(csv.DictReader(io.StringIO(table)))


def in_csv(text: str) -> dict[str, Sums]:
    found: dict[str, Sums] = {}
    for said, rows in tables(text):
        sums = found[said.removeprefix("# cpu/some ").partition(" · ")[0]] = Counter()
        for row in rows:
            count = int(row.pop("count", 1))
            sums[tuple((name, value) for name, value in row.items() if name not in ("time", "last_ns"))] += count
    return found


def in_json(text: str) -> dict[str, Sums]:
    found: dict[str, Sums] = {}
    check_shape("run", json.loads(text))
    for name, view in json.loads(text)["views"].items():
        sums = found[name] = Counter()
        for each in view.get("series", ()):
            for low, high, count in each["buckets"]:
                sums[*each["labels"].items(), low, high] += count
        for each in view.get("stacks", ()):
            sums[*each["labels"].items(), *(frame["name"] for frame in each["frames"])] += each["count"]
        names = [column["name"] for column in view.get("columns", ())]
        for values in view.get("rows", ()):
            row = dict(zip(names, values, strict=True))
            count = row.pop("count", 1)
            row.pop("last_ns", None)
            sums[tuple(row.items())] += count
    return found


def in_folded(text: str) -> dict[str, Sums]:
    sums: Sums = Counter()
    for line in text.splitlines():
        if not line.startswith("# "):
            stack, _, count = line.rpartition(" ")
            sums[(stack,)] += int(count)
    return {"samples": sums}


def in_speedscope(text: str) -> dict[str, Sums]:
    file = json.loads(text)
    frames = [each["name"] for each in file["shared"]["frames"]]
    sums: Sums = Counter()
    for profile in file["profiles"]:
        for sample, weight in zip(profile["samples"], profile["weights"], strict=True):
            sums[tuple(frames[at] for at in sample)] += weight
    return {"samples": sums}


def over_time(each: Chapter, scope: Scope) -> dict[str, Sums]:
    """What the page's charts are drawn from."""
    found: dict[str, Sums] = {}
    (run,) = gather(each, scope).runs
    for part, over in zip(run.parts, run.overviews, strict=True):
        if over is None:
            continue
        sums = found[part.view.name] = Counter()
        for at, (end, count) in enumerate(zip(over.ends.tolist(), over.counts.tolist(), strict=True)):
            sums[end, "count"] += count
            if over.histograms:
                histogram = over.histograms[at]
                for slot, held in zip(histogram.slots.tolist(), histogram.counts.tolist(), strict=True):
                    sums[end, slot] += held
    return found


def everything(each: Chapter, scope: Scope) -> dict[tuple[str, str], Sums]:
    """(format, view) → what it holds."""
    read_: dict[Format, Any] = {"csv": in_csv, "json": in_json, "folded": in_folded, "speedscope": in_speedscope}
    found = {(name, view): sums for name, of in read_.items() for view, sums in of(written(name, each, scope)).items()}
    found |= {("over time", view): sums for view, sums in over_time(each, scope).items()}
    return {key: +sums for key, sums in found.items()}


# ---------------------------------------------------------------- a selection and its complement

STEPS = st.lists(st.dictionaries(st.integers(1, 4), st.integers(1, 1 << 33), max_size=4), min_size=2, max_size=6)
VALUES = {
    "process": (1, 2, 9),
    "name": ("sh", "make", "ebpftop", "x"),
    "user": ("root", "build"),
    "call": ("call 0", "call 1"),
    "error": ("EPERM", ""),
    "arguments": ("-O1",),
    "function": tuple(function_key(name, "/bin/app", "user") for name in ("f", "main")),
}
CHOICES = st.sampled_from([(name, value) for name, every in VALUES.items() for value in every])


@settings(max_examples=40, deadline=None)
@given(STEPS, st.lists(st.tuples(CHOICES, st.booleans()), min_size=1, max_size=3), st.booleans(), st.data())
def test_a_selection_and_its_complement_add_up_to_the_whole_in_every_export(
    seconds: list[dict[int, int]], chosen: list[tuple[tuple[str, int | str], bool]], spanned: bool, data: st.DataObject
) -> None:
    each = chapter(seconds)
    span = ALL
    if spanned:
        start = data.draw(st.integers(-1, len(seconds) - 2))
        span = Span(BEGIN + start * SECOND, BEGIN + data.draw(st.integers(start + 1, len(seconds))) * SECOND)
    inside = selection(*((*choice, excluded) for choice, excluded in chosen))
    parts = {name: Scope(span, one) for name, one in (("in", inside), ("out", inside.inverted()))}
    held, left = (everything(each, scope) for scope in parts.values())
    whole = everything(each, Scope(span, inside.widened()))
    assert whole.keys() == held.keys() == left.keys()
    for (name, view), sums in whole.items():
        if inside.choices[-1] in inside.missing(next(info for info in VIEWS if info.name == view)):
            assert held[name, view] == left[name, view] == sums
        else:
            assert held[name, view] + left[name, view] == sums, (name, view)
    for scope in parts.values():
        for said, _ in tables(written("csv", each, scope)):
            info = next(info for info in VIEWS if f" {info.name} " in said)
            assert ("not by" in said) is bool(inside.missing(info))


@settings(max_examples=25, deadline=None)
@given(STEPS, st.sampled_from(["name", "user", "call", "process", "parent", "cgroup", "error"]))
def test_groups_and_the_roots_of_trees_add_up_to_the_rows(seconds: list[dict[int, int]], dimension: str) -> None:
    each = chapter(seconds)
    (run,) = each.runs()
    for view in VIEWS:
        by = next((source for source in groupings(view) if source.dimension == dimension), None)
        if by is None:
            continue
        plain, summed = (
            in_csv(written("csv", each, Scope(aspects={place(run, view): aspect})))[view.name]
            for aspect in (Aspect(), Aspect(by=by))
        )
        if view is EXECS:
            summed = Counter({key: int(dict(key)["events"]) for key in summed})
        roots = Counter({key: count for key, count in summed.items() if dict(key).get("depth", "0") == "0"})
        assert roots.total() == plain.total()
        if view is LATENCY:
            assert slots(roots) == slots(plain)


def slots(sums: Sums) -> Sums:
    found: Sums = Counter()
    for key, count in sums.items():
        found[dict(key)["lo"],] += count
    return +found


@settings(max_examples=25, deadline=None)
@given(STEPS, st.lists(st.integers(0, 5 * SECOND), max_size=3), st.sampled_from([None, 0, 1]))
def test_slices_that_adjoin_add_up_to_all_samples(
    seconds: list[dict[int, int]], cuts: list[int], cpu: int | None
) -> None:
    each = chapter(seconds)
    (run,) = each.runs()
    edges = [BEGIN - 2 * SECOND, *sorted(BEGIN + cut for cut in cuts), BEGIN + 99 * SECOND]
    total: Sums = Counter()
    for start, end in pairwise(edges):
        aspect = Aspect(slice=Slice(Span(start, end), cpu))
        total += in_folded(written("folded", each, Scope(aspects={place(run, TIMED): aspect})))["samples"]
    expected: Sums = Counter()
    for counts in seconds:
        for key, count in counts.items():
            if count % 50 and cpu in (None, key % 2):
                head = PEOPLE[key - 1].comm
                expected[f"{head};{['main;f', 'main;g', 'main', 'main;f;h'][key - 1]}",] += count % 50
    assert total == expected


# ---------------------------------------------------------------- sums beside those of the other reader


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hand_tape.written(tmp_path_factory.mktemp("tape") / "hand.tape")


def summed_by(taped: Taped, dimension: str, span: Span) -> Scope:
    aspects = {
        place(run, view): Aspect(by=source)
        for run in taped.chapters[0].runs()
        for view in run.views
        for source in groupings(view)
        if source.dimension == dimension
    }
    return Scope(span, aspects=aspects)


@pytest.mark.parametrize("span", [ALL, Span(1001 * SECOND, 1003 * SECOND)], ids=["all", "span"])
@pytest.mark.parametrize("dimension", ["name", "user", "call"])
def test_groups_in_page_and_csv_are_those_of_the_other_reader(hand: Path, span: Span, dimension: str) -> None:
    sums, taped = tape_sums.read(hand), read(TapeReader(hand))
    scope = summed_by(taped, dimension, span)
    page = Report(content("html", taped, scope).decode()).runs[1].views
    by_csv = {rows[0]["view"]: rows for _, rows in tables(content("csv", taped, scope).decode()) if rows}
    start, end = (-1, 1 << 62) if span == ALL else (span.start, span.end)
    calls = grouped(sums, sums.runs[1].views["calls"], dimension, start, end)
    assert {row[dimension]: int(row["count"]) for row in by_csv["calls"]} == {
        key: n["count"] for key, n in calls.items()
    }
    rows = page["calls"].tables["rows"].rows
    assert {row[0].text: row[1].value for row in rows} == {key or "": n["count"] for key, n in calls.items()}
    assert page["calls"].attributes["data-rows"] == f"by {dimension}"
    if dimension == "call":
        return
    waits = grouped(sums, sums.runs[1].views["latency"], dimension, start, end)
    found: dict[str, Counter[int]] = {}
    for row in by_csv["latency"]:
        found.setdefault(row[dimension], Counter())[int(row["lo"])] += int(row["count"])
    assert found == {key: Counter({lower(slot): n for slot, n in each.items()}) for key, each in waits.items()}
    rows = page["latency"].tables["keys"].rows[1:]
    assert {row[0].text: row[1].value for row in rows} == {key: each.total() for key, each in waits.items()}


@pytest.mark.parametrize("span", [ALL, Span(1001 * SECOND, 1003 * SECOND)], ids=["all", "span"])
def test_a_tree_in_page_and_csv_is_that_of_the_other_reader(hand: Path, span: Span) -> None:
    sums, taped = tape_sums.read(hand), read(TapeReader(hand))
    scope = summed_by(taped, "parent", span)
    start, end = (-1, 1 << 62) if span == ALL else (span.start, span.end)
    views = sums.runs[1].views
    expected = {name: below(sums, views[name], start, end) for name in ("calls", "latency")}
    assert any(path.startswith("init 1 / sh 1001 / make 1002 / ") for path in expected["calls"])
    by_csv: dict[str, Counter[str]] = {}
    for said, rows in tables(content("csv", taped, scope).decode()):
        assert "by parent, each with all below it".replace(",", "\\x2c") in said or "samples" in said
        for row in rows if "samples" not in said else ():
            by_csv.setdefault(row["view"], Counter())[row["parent"]] += int(row.get("count", 0))
            assert int(row["depth"]) == row["parent"].count(" / ")
    assert {name: by_csv[name] for name in expected} == expected
    page = Report(content("html", taped, scope).decode()).runs[1].views
    found = {row[1].text: row[2].value for row in page["calls"].tables["rows"].rows}
    assert found == expected["calls"]
    found = {row[1].text: row[2].value for row in page["latency"].tables["keys"].rows[1:]}
    assert found == expected["latency"]
    paths = [row[1].text for row in page["calls"].tables["rows"].rows]
    assert all(path.rpartition(" / ")[0] in (*paths[:at], "") for at, path in enumerate(paths)), "parents come first"


# ---------------------------------------------------------------- the rest of what a screen shows

SECONDS = [{1: 5, 2: 7, 3: 11, 4: 2}, {1: 50, 2: 70, 3: 110, 4: 20}, {1: 500, 3: 1100}]


def exported(format: Format, aspects: Mapping[str, Aspect], *, span: Span = ALL) -> str:
    each = chapter(SECONDS)
    (run,) = each.runs()
    named = {place(run, view): aspects[view.name] for view in VIEWS if view.name in aspects}
    return written(format, each, Scope(span, aspects=named))


def rows_of(text: str, view: str) -> list[dict[str, str]]:
    return next(rows for said, rows in tables(text) if said.startswith(f"# cpu/some {view} · "))


def test_a_filter_narrows_what_it_narrows_on_the_screen() -> None:
    query = {view.name: Aspect(query="ROOT") for view in VIEWS}
    assert all(not rows for _, rows in tables(exported("csv", query))), "a user is in no column"
    query = {view.name: Aspect(query="make 1002") for view in VIEWS}
    text = exported("csv", query)
    assert [row["comm"] for row in rows_of(text, "calls")] == ["make"]
    assert {row["comm"] for row in rows_of(text, "latency")} == {"make"}
    assert {row["comm"] for row in rows_of(text, "samples")} == {"make"}
    assert {row["comm"] for row in rows_of(text, "execs")} == {"make"}
    assert all("matching “make 1002”" in said for said, _ in tables(text))
    page = Report(data_page(query)).runs[1].views
    assert page["execs"].attributes["data-events"] == "2"
    drawn = {name: view.tables["time"].rows for name, view in page.items() if name != "execs"}  # those have no time
    sums = {name: sum(row[2].value or 0 for row in rows) for name, rows in drawn.items()}
    assert sums == {"calls": 77, "samples": 77, "latency": 1875}, "the histogram isn't filtered, only its list"


@settings(max_examples=40, deadline=None)
@given(STEPS, st.sampled_from(["sh", "make 1002", "cc", "call 1", "nothing"]), st.sampled_from(["", "name", "user"]))
def test_what_a_filter_leaves_is_drawn_over_time(seconds: list[dict[int, int]], query: str, dimension: str) -> None:
    each = chapter(seconds)
    (run,) = each.runs()
    aspects = {}
    for view in VIEWS:
        by = next((source for source in groupings(view) if source.dimension == dimension), None)
        aspects[place(run, view)] = Aspect(by=by, query=query, own=True)
    scope = Scope(aspects=aspects)
    rows = {name: sum(sums.values()) for name, sums in in_json(written("json", each, scope)).items()}
    drawn = {name: sum(sums.values()) for name, sums in over_time(each, scope).items() if name != "latency"}
    assert drawn == {name: rows.get(name, 0) for name in drawn}
    assert drawn.keys() >= {"calls", "samples"} or len(seconds) < 2


def data_page(aspects: Mapping[str, Aspect]) -> str:
    each = chapter(SECONDS)
    (run,) = each.runs()
    named = {place(run, view): aspects[view.name] for view in VIEWS if view.name in aspects}
    return content("html", Taped("x", [each]), Scope(aspects=named)).decode()


def test_ebpftops_own_rows_are_where_the_screen_shows_them() -> None:
    for own, there in ((None, True), (True, True), (False, False)):
        aspects = {view.name: Aspect(own=own) for view in VIEWS if view is not EXECS}
        for format in ("csv", "json", "folded", "speedscope"):
            text = exported(format, {**aspects, "execs": Aspect(query="sh")})
            assert ('ebpftop"' in text or "ebpftop," in text or "ebpftop;" in text) is there, (own, format)
            assert ("without ebpftop's own processes" in text) is not there
        page = Report(data_page(aspects)).runs[1].views["calls"].tables["rows"].rows
        assert ("ebpftop" in {cell.text for row in page for cell in row}) is (own is True)


def test_the_key_of_a_histogram_that_was_picked_is_all_there_is() -> None:
    key = {"latency": Aspect(key={"tgid": 2})}
    assert {row["comm"] for row in rows_of(exported("csv", key), "latency")} == {"make"}
    assert "# cpu/some latency · only make 1002 · " in exported("csv", key)
    view = Report(data_page(key)).runs[1].views["latency"]
    assert view.tables["keys"].rows[0][2].value == 77
    assert sum(row[2].value or 0 for row in view.tables["time"].rows) == 77
    assert sum(row[1].value or 0 for row in view.tables["histogram"].rows) == 77


def test_growth_is_what_was_gained_since_then() -> None:
    text = exported("folded", {"samples": Aspect(since=BEGIN + SECOND)})
    assert text.splitlines()[1:] == ["cc, =x;main 1100", "sh;main;f 500"]
    drawn = Report(data_page({"samples": Aspect(since=BEGIN)})).runs[1].views["samples"].tables["time"].rows
    assert [row[2].value for row in drawn] == [250, 1600], "only the steps since then"
    assert " · growth · 2023-11-14T22:13:21.000Z to 2023-11-14T22:13:22.000Z · 1 s observed" in text


def test_a_slice_says_which_and_has_a_chart_of_its_samples() -> None:
    slice_ = Slice(Span(BEGIN, BEGIN + SECOND // 4), 1)
    aspects = {"samples": Aspect(slice=slice_)}
    said = exported("folded", aspects).splitlines()[0]
    assert "single samples of CPU 1" in said
    assert "2023-11-14T22:13:20.000Z to 2023-11-14T22:13:20.250Z · 250 ms observed" in said
    assert (
        said.removeprefix("# cpu/some samples · ") in json.loads(exported("speedscope", aspects))["profiles"][0]["name"]
    )
    assert f"<desc>CPU samples · {said.partition(' · ')[2]}</desc>" in exported("svg", aspects)
    view = Report(data_page(aspects)).runs[1].views["samples"]
    times = view.tables["time"].rows
    assert (times[0][0].value, times[-1][1].value) == (1_700_000_000 * SECOND, 1_700_000_000 * SECOND + SECOND // 4)
    assert sum(row[2].value or 0 for row in times) == 50 % 50 + 110 % 50
    assert view.attributes["data-seconds"] == "0.25"
    assert view.attributes["data-total"] == str(50 % 50 + 110 % 50)


def test_what_is_said_stays_one_cell_whatever_a_name_holds() -> None:
    each = chapter(SECONDS)
    scope = Scope(ALL, selection(("name", 'a,=cmd;"b"\n#', False)))
    for said, _ in tables(written("csv", each, scope)):
        assert "\n" not in said
        assert not {",", ";", '"'} & {*said}
    for line in written("folded", each, scope).splitlines():
        assert line.startswith("# ")
        assert not line[-1].isdigit(), "nobody reads it as a stack"


def test_json_says_what_it_holds_in_numbers() -> None:
    views = json.loads(exported("json", {"calls": Aspect(query="sh")}, span=Span(BEGIN, BEGIN + 2 * SECOND)))["views"]
    assert views["calls"]["scope"]["rows"] == ["matching “sh”"]
    assert views["latency"]["scope"]["rows"] == []
    second = 1_700_000_000 * SECOND
    assert (views["latency"]["scope"]["from_ns"], views["latency"]["scope"]["to_ns"]) == (second, second + 2 * SECOND)
    assert views["latency"]["scope"]["seconds"] == 2.0


def test_a_selection_means_the_same_processes_in_another_stream() -> None:
    """A collector that was started again numbers processes anew."""
    first = chapter(SECONDS)
    people = {each.id: each for each in PEOPLE}
    make = Selection((Choice("process", 2, "process", "make 1002"),), first.session.processes)
    again = {7: structs.replace(people[2], id=7), 2: structs.replace(people[1], id=2)}
    assert [each.value for each in make.among(again).choices] == [7]
    assert [each.value for each in make.among({2: people[1]}).choices] == [-1], "it doesn't know that one"
    assert make.among(first.session.processes) == make


def test_views_lack_what_they_have_no_dimension_of() -> None:
    said = {
        text.split(" · ")[0]: text
        for text, _ in tables(written("csv", chapter(SECONDS), Scope(ALL, selection(("call", "call 1", False)))))
    }
    assert " · only call call 1 · " in said["# cpu/some calls"]
    assert " · not by call · " in said["# cpu/some latency"]


def test_events_that_were_dropped_are_told() -> None:
    each = Chapter(Session(event_rows=3))
    for at, frame in enumerate(told(SECONDS)):
        each.take(at, frame)
    text = written("csv", each, Scope())
    assert "# cpu/some execs · 7 older ones dropped · " in text
    assert len(rows_of(text, "execs")) == 3
    narrowed = written("csv", each, Scope(ALL, selection(("name", "sh", False))))
    assert "# cpu/some execs · only name sh · 7 older ones dropped · " in narrowed


def test_a_view_that_is_summed_says_so() -> None:
    by = next(each for each in groupings(CALLS) if each.dimension == "cgroup")
    text = exported("csv", {"calls": Aspect(by=by)})
    assert [(row["depth"], row["cgroup"], row["count"]) for row in rows_of(text, "calls")] == [
        ("0", "/a", "1853"), ("1", "/a/c", "1221"), ("1", "/a (itself)", "555"), ("1", "/a/b", "77"),
        ("0", "(ebpftop's own)", "22"),
    ]  # fmt: skip
    text = exported("csv", {"calls": Aspect(by=by, query="b")})
    assert [row["cgroup"] for row in rows_of(text, "calls")] == ["/a", "/a/b", "(ebpftop's own)"]
