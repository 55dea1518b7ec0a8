"""Every number of the HTML report and of the CSV beside what an independent reader computes from the tape."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import ebpftop
from ebpftop.export.reporting import content
from ebpftop.export.taped import Taped, read
from ebpftop.frames.tape import TapeReader
from ebpftop.model.dimensions import function_key
from ebpftop.model.past.span import ALL, Span
from ebpftop.model.scope import Scope
from ebpftop.model.selection import Choice, Selection
from tests.support import hand_tape, tape_sums
from tests.support.frames import SECOND
from tests.support.page_reader import Cell, Report, Table
from tests.support.tape_scopes import Chosen, narrowed
from tests.support.tape_sums import Sums, View, lower, percentile

DEMO = Path(ebpftop.__file__).parent / "demo.tape"
QUANTILES = {"p50": "0.5", "p90": "0.9", "p99": "0.99", "max": "1"}
DETAILS = ("parent", "command", "container", "pod", "unit", "nspid")  # columns that only explain another one
_UNITS = {
    "": 1, "ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9, "min": 60e9, "h": 3600e9, "d": 86400e9,
    "k": 1e3, "M": 1e6, "G": 1e9, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "%": 1,
}  # fmt: skip


class Case:
    """A tape, a span of it, and what both readers make of it. start, end: of the steps that count, monotonic."""

    def __init__(self, path: Path, span: Span = ALL, chosen: tuple[Chosen, ...] = ()) -> None:
        self.start, self.end = (-1, 1 << 62) if span == ALL else (span.start, span.end)
        self.sums: Sums = narrowed(summed(path), [*chosen])
        self.taped: Taped = taped(path)
        self.scope = Scope(span, selected(chosen))
        self.page = Report(content("html", self.taped, self.scope, title="T").decode())
        self.csv = content("csv", self.taped, self.scope).decode()

    def views(self, show: str) -> Iterator[tuple[int, View, dict[str, Table]]]:
        found = 0
        for number, run in self.sums.runs.items():
            for name, view in run.views.items():
                if view.info["show"] == show:
                    found += 1
                    yield number, view, self.page.runs[number].views[name].tables
        assert found, f"no view of kind {show}"

    def seconds(self, view: View) -> float:
        return view.seconds(self.start, self.end)


@cache
def summed(path: Path) -> Sums:
    return tape_sums.read(path)


@cache
def taped(path: Path) -> Taped:
    return read(TapeReader(path))


def selected(chosen: tuple[Chosen, ...]) -> Selection:
    """The same choices, as the program has them."""

    def value(choice: Chosen) -> int | str:
        return function_key(choice.value, "/bin/app", "user") if choice.dimension == "function" else choice.value

    return Selection(
        tuple(Choice(each.dimension, value(each), each.dimension, str(each.value), each.excluded) for each in chosen)
    )


# What is selected, by tape. In each some views have the dimension, and others haven't.
CHOSEN = {
    "demo": {
        "name": (Chosen("name", "backup"),),
        "others": (Chosen("name", "thumbnails", excluded=True), Chosen("call", "read", excluded=True)),
    },
    "hand": {
        "process": (Chosen("process", 1),),
        "others": (Chosen("process", 1, excluded=True),),
        "both": (Chosen("name", "make"), Chosen("call", "write")),
        "function": (Chosen("function", "work"),),
        "error": (Chosen("error", "ENOENT", excluded=True),),
        "nobody": (Chosen("name", "no such"),),
    },
}
CASES = [
    *(f"{tape}{span}" for tape in CHOSEN for span in ("", "-span")),
    *(f"{tape}-span-{what}" for tape, every in CHOSEN.items() for what in every),
]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    if request.param.startswith("hand"):
        path = hand_tape.written(tmp_path_factory.mktemp("tape") / "hand.tape")
        span = Span(1001 * SECOND, 1003 * SECOND)
    else:
        path = DEMO
        steps = summed(DEMO).runs[1].views["latency"].steps
        span = Span(steps[9].end + 7, steps[31].end + 7)
    tape, *more = request.param.split("-")
    return Case(path, span if "span" in more else ALL, CHOSEN[tape][more[-1]] if more[1:] else ())


def read_back(text: str) -> float:
    """The number that a text shows; of bounds, the upper one."""
    word = re.sub(r"(?<=\d) (?=\d)", "", text.removesuffix("/s").rpartition("–")[2])
    match = re.fullmatch(r"([\d.]+) ?(\D*)", word)
    assert match, text
    return float(match[1]) * _UNITS[match[2]]


def shown(cell: Cell, expected: float | None, slack: float = 0.006) -> None:
    """A cell holds the number exactly, and shows it to three digits."""
    if expected is None or (isinstance(expected, float) and math.isnan(expected)):
        assert (cell.value, cell.text) == (None, "–")
        return
    assert cell.value == pytest.approx(expected, rel=1e-12)
    if cell.text.startswith("<"):
        assert expected < 0.001
    else:
        assert read_back(cell.text) == pytest.approx(expected, rel=slack, abs=0.0006)


def counted(cells: list[Cell], counts: Counter[int], seconds: float) -> None:
    """Values, values a second, and four percentiles."""
    total = sum(counts.values())
    shown(cells[0], total)
    shown(cells[1], total / seconds if seconds else None)
    for cell, q in zip(cells[2:6], QUANTILES.values(), strict=True):
        found = percentile(counts, q)
        assert (cell.low, cell.value) == (found or (None, None))
        if found:
            shown(cell, found[1], 0.06)  # bounds are shown with two digits
    assert len(cells) == 6


def label(sums: Sums, view: View, key: tuple) -> list[str]:
    """A key as the page shows it: a process as its pid and name."""
    words: list[str] = []
    for name, part in zip(view.keys, key, strict=False):
        if name == view.process:
            pid, comm = sums.name(part)
            words += ["–" if pid is None else str(pid), "–" if comm is None else comm]
        else:
            words.append(str(part))
    return words


def listed(sums: Sums, view: View, key: tuple) -> bool:
    """Whether a ranking holds it: those of ebpftop's own processes are left out."""
    return view.process not in view.keys or not sums.own(key[view.keys.index(view.process)])


def test_histograms_by_key(case: Case) -> None:
    for _, view, tables in case.views("histogram"):
        slots = view.slots(case.start, case.end)
        whole = sum(slots.values(), Counter())
        if not whole:
            assert "keys" not in tables
            continue
        rows = tables["keys"].rows
        labels = len(tables["keys"].titles) - 6
        width = len(label(case.sums, view, next(iter(slots))))  # then come places
        counted(rows[0][labels:], whole, case.seconds(view))
        expected = {
            tuple(map(inert, label(case.sums, view, key))): key for key in slots if listed(case.sums, view, key)
        }
        assert len(rows) - 1 == min(100, len(expected))
        totals = sorted((sum(slots[key].values()) for key in expected.values()), reverse=True)
        assert [row[labels].value for row in rows[1:]] == totals[:100]
        for row in rows[1:]:
            counted(row[labels:], slots[expected[tuple(map(str, row[:width]))]], case.seconds(view))


def inert(text: str) -> str:
    return text.replace("\u202e", "\\u202e")


def test_histograms(case: Case) -> None:
    for _, view, tables in case.views("histogram"):
        whole = sum(view.slots(case.start, case.end).values(), Counter())
        total = sum(whole.values())
        if not total:
            assert "histogram" not in tables
            continue
        rows = tables["histogram"].rows
        edges = [(row[0].low, row[0].value) for row in rows]
        assert all(high == low for (_, high), (low, _) in pairwise(edges)), "rows adjoin"
        assert min(2, len(whole)) <= len(rows) <= 32
        for (low, high), row in zip(edges, rows, strict=True):
            count = sum(count for slot, count in whole.items() if low <= lower(slot) < high)
            shown(row[1], count)
            shown(row[2], 100 * count / total)
        assert sum(row[1].value for row in rows) == total


def test_numbers_over_time(case: Case) -> None:
    checked = 0
    for show in ("histogram", "table", "stacks"):
        for _, view, tables in case.views(show):
            if "time" not in tables:
                continue
            counter = view.info.get("sort") if view.info.get("sort") in view.counters else view.counters[0]
            rows = tables["time"].rows
            for at, row in enumerate(rows):
                start, end = (int(cell.value or 0) - case.sums.ahead for cell in row[:2])
                first = case.start if at == 0 else start
                gained = view.gained(first, end)
                shown(row[2], sum(gains[counter] for gains in gained.values()))
                shown_rate(row[3], row[2].value, view.seconds(first, end), view, counter)
                if show == "histogram":
                    counts = sum(view.slots(first, end).values(), Counter())
                    assert [(cell.low, cell.value) for cell in row[4:]] == [
                        percentile(counts, q) or (None, None) for q in QUANTILES.values()
                    ]
                checked += 1
            assert sum(row[2].value for row in rows) == sum(
                gains[counter] for gains in view.gained(case.start, case.end).values()
            )
    assert checked


def unit_of(view: View, counter: str) -> str:
    columns = {column["field"]: column for column in view.info.get("columns", [])}
    return columns.get(counter, {}).get("unit", "")


def shown_rate(cell: Cell, gain: float, seconds: float, view: View, counter: str) -> None:
    if not seconds:
        shown(cell, None)
    elif unit_of(view, counter) == "cpu_ns":  # a share of one CPU
        assert cell.value == pytest.approx(gain / seconds)
        assert read_back(cell.text) == pytest.approx(gain / seconds / 1e7, rel=0.006, abs=0.0006)
    else:
        shown(cell, gain / seconds)


def test_tables(case: Case) -> None:
    for _, view, tables in case.views("table"):
        gained, last = view.gained(case.start, case.end), view.last(case.end)
        columns = [each for each in view.info["columns"] if not each.get("hidden")]
        expected = [key for key in gained if listed(case.sums, view, key)]
        rows = tables["rows"].rows
        assert len(rows) == min(100, len(expected))
        by = view.info.get("sort") or view.counters[0]
        order = sorted((gained[key][by] for key in expected), reverse=True)
        keys = {tuple(map(inert, label(case.sums, view, key))): key for key in expected}
        whole = len([each for each in columns if each.get("role", "key") == "key"])
        width = len(label(case.sums, view, (0,) * len(view.keys)))
        assert whole == len(view.keys)
        seen = []
        for row in rows:
            key = keys[tuple(map(str, row[:width]))]
            at = width
            for column in columns:
                name = column["field"]
                if column.get("role") == "counter":
                    seen += [row[at].value] if name == by else []
                    shown(row[at], gained[key][name])
                    shown_rate(row[at + 1], gained[key][name], case.seconds(view), view, name)
                    at += 2
                elif column.get("role") == "gauge":
                    assert row[at].value == last[key][name]
                    at += 1
        assert seen == order[: len(rows)]


def test_events(case: Case) -> None:
    for number, view, tables in case.views("events"):
        run = case.sums.runs[number]
        everything = run.events.get(view.info["map"], [])
        rows = tables["events"].rows
        total = int(case.page.runs[number].views[view.info["name"]].attributes["data-events"])
        if case.start == -1:
            assert total == len(everything)
            wanted = everything[-300:]
        else:
            at = next(
                (at for at in range(len(everything) + 1) if _matches(everything[at : at + len(rows)], rows, view)), None
            )
            assert at is not None, "the events of the span are part of those of the tape, in order"
            assert case.scope.selection or 0 < total < len(everything)
            wanted = everything[at : at + len(rows)]
        assert _matches(wanted, rows, view)


def _matches(events: list[dict], rows: list[list[Cell]], view: View) -> bool:
    """Whether numbers of the events' columns stand in the rows, in order."""
    numbers = [
        name
        for name in (each["field"] for each in view.info["columns"] if not each.get("hidden"))
        if events and isinstance(events[0][name], int) and name != view.process
    ]
    if len(events) != len(rows):
        return False
    return all(
        {event[name] for name in numbers} <= {cell.value for cell in row}
        for event, row in zip(events, rows, strict=True)
    )


def test_stacks(case: Case) -> None:
    for number, view, tables in case.views("stacks"):
        own, total = Counter(), Counter()
        merged: Counter[tuple] = Counter()
        for key, gains in view.gained(case.start, case.end).items():
            if not listed(case.sums, view, key):
                continue
            count = gains[view.counters[0]]
            functions = [_function(case.sums, each) for each in case.sums.stacks[key[-1]]]
            own[functions[-1]] += count
            for each in {*functions}:
                total[each] += count
            head = label(case.sums, view, key[:-1])[1]
            merged[head, tuple(functions)] += count
        everything = sum(merged.values())
        if not everything:
            assert "functions" not in tables
            continue
        assert int(case.page.runs[number].views[view.info["name"]].attributes["data-total"]) == everything
        rows = tables["functions"].rows
        assert len(rows) == min(100, len(total))
        for row in rows:
            function = tuple(map(str, row[:3]))
            shown(row[3], own[function])
            shown(row[4], 100 * own[function] / everything)
            shown(row[5], total[function])
            shown(row[6], 100 * total[function] / everything)
        assert [row[3].value for row in rows] == sorted((own[each] for each in total), reverse=True)[:100]
        rows = tables["stacks"].rows
        assert [row[1].value for row in rows] == sorted(merged.values(), reverse=True)[:40]
        for row in rows:
            shown(row[2], 100 * row[1].value / everything)
            assert row[1].value in [
                count
                for (head, stack), count in merged.items()
                if head == row[0].text and len(stack) == row[3].text.count(";") + 1
            ]


def _function(sums: Sums, number: int) -> tuple[str, str, str]:
    found = sums.functions[number]
    name, module, side = found.get("name", ""), found.get("module", ""), found["side"]
    if side == "missing":
        text = f"[{name.strip('[]') or 'missing'}]"
    else:
        text = name or f"[unknown] {module.rpartition('/')[2]}".rstrip()
    return text, module or ("kernel" if side == "kernel" else ""), side


def test_losses(case: Case) -> None:
    for number, run in case.sums.runs.items():
        lost = {name: count for name, count in run.lost(case.start, case.end).items() if count}
        assert case.page.runs[number].losses == lost


def test_costs(case: Case) -> None:
    checked = 0
    for number, run in case.sums.runs.items():
        inside = [cost for cost in run.costs if cost[0] <= case.end]
        before = [cost for cost in run.costs if cost[0] <= case.start] or (run.costs[:1] if run.based else [])
        if not inside:
            continue
        count, spent = (inside[-1][at] - (before[-1][at] if before else 0) for at in (1, 2))
        rows = {row[0].text: row[1] for row in case.page.runs[number].tables["cost"].rows}
        shown(rows["program time"], spent)
        shown(rows["program runs"], count)
        shown(rows["time per run"], spent / count if count else None)
        since = next(cost for cost in [*before[-1:], *inside[len(before) :]] if cost[3])
        passed = inside[-1][0] - since[0]
        shown(rows["share of one CPU"], 100 * (inside[-1][2] - since[2]) / passed if passed else None)
        checked += 1
    assert checked


def test_the_observed_time_stands_above_the_numbers(case: Case) -> None:
    for show in ("histogram", "table", "stacks"):
        for number, view, _ in case.views(show):
            said = case.page.runs[number].views[view.info["name"]].attributes["data-seconds"]
            assert float(said) == pytest.approx(case.seconds(view), rel=1e-12)


def test_the_machine(case: Case) -> None:
    hosts = [
        host
        for host in case.sums.hosts
        if case.start < host["realtime_ns"] - case.sums.ahead <= case.end
        and _first(case) <= host["realtime_ns"] - case.sums.ahead <= _last(case)
    ]
    if len(hosts) < 2:
        assert "machine" not in case.page.tables
        return
    for name, row in zip(("cpu_percent", "memory_percent", "load"), case.page.tables["machine"].rows, strict=True):
        values = [host[name] for host in hosts]
        for cell, expected in zip(row[1:], (min(values), sum(values) / len(values), max(values)), strict=True):
            shown(cell, expected)


def _ends(case: Case) -> list[int]:
    return [losses[0] for run in case.sums.runs.values() for losses in run.losses if losses[0]]


def _first(case: Case) -> int:
    return min(_ends(case))


def _last(case: Case) -> int:
    return max(_ends(case))


# ---------------------------------------------------------------- CSV


def blocks(text: str) -> Iterator[list[dict[str, str]]]:
    """The tables of a CSV file."""
    for block in text.split("\n\n"):
        said, _, table = block.partition("\n")
        assert said.startswith("# ")
        yield list(csv.DictReader(io.StringIO(table)))


def of_csv(case: Case, number: int, view: View) -> list[dict[str, str]]:
    run = case.sums.runs[number]
    rows = [row for block in blocks(case.csv) for row in block]
    return [row for row in rows if (row["probe"], row["view"]) == (run.probe, view.info["name"])]


def test_the_csv_of_histograms(case: Case) -> None:
    for number, view, _ in case.views("histogram"):
        expected = Counter()
        for key, counts in view.slots(case.start, case.end).items():
            for slot, count in counts.items():
                expected[(*label(case.sums, view, key), str(lower(slot)), str(lower(slot + 1)))] += count
        found = Counter()
        for row in of_csv(case, number, view):
            values = [("–" if value == "" else value) for name, value in list(row.items())[3:] if name not in DETAILS]
            found[tuple(values[:-1])] += int(values[-1])
        assert found == expected


def test_the_csv_of_tables(case: Case) -> None:
    for number, view, _ in case.views("table"):
        gained = view.gained(case.start, case.end)
        width = len(label(case.sums, view, (0,) * len(view.keys)))
        expected = Counter(
            (*label(case.sums, view, key), *(str(gains[name]) for name in view.counters))
            for key, gains in gained.items()
        )
        found = Counter()
        for row in of_csv(case, number, view):
            words = [("–" if value == "" else value) for name, value in list(row.items())[3:] if name not in DETAILS]
            names = [name for name in list(row)[3:] if name not in DETAILS]
            found[(*words[:width], *(words[names.index(_column(view, name))] for name in view.counters))] += 1
        assert found == expected


def _column(view: View, field: str) -> str:
    if field not in ("key", "value"):
        return field
    return next(column["title"] for column in view.info["columns"] if column["field"] == field)


def test_the_csv_of_events_and_stacks(case: Case) -> None:
    for number, view, _ in case.views("events"):
        said = int(case.page.runs[number].views[view.info["name"]].attributes["data-events"])
        assert len(of_csv(case, number, view)) == said
    for number, view, _ in case.views("stacks"):
        counts = [gains[view.counters[0]] for gains in view.gained(case.start, case.end).values()]
        assert sum(int(row["count"]) for row in of_csv(case, number, view)) == sum(counts)


def test_the_csv_says_when(case: Case) -> None:
    for number, view, _ in case.views("histogram"):
        end = view.within(case.start, case.end)[-1].end + case.sums.ahead
        for row in of_csv(case, number, view)[:1]:
            then = datetime.fromisoformat(row["time"]).astimezone(UTC).timestamp()
            assert then == pytest.approx(end / 1e9, abs=2.0)  # the run's last view may end a sample later
