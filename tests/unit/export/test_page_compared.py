"""Every number of a report's comparison beside what an independent reader computes from the tapes."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebpftop.export.compared import Compared, Part, compare_parts
from ebpftop.export.gathered import gather
from ebpftop.export.page.page import Page
from ebpftop.export.page.page import html as page_of
from ebpftop.export.reporting import compared_page
from ebpftop.export.taped import Chapter
from ebpftop.model.past.span import Span
from ebpftop.model.scope import Scope
from ebpftop.model.selection import Choice, Selection
from tests.support import hand_tape, tape_sums
from tests.support.frames import SECOND
from tests.support.hostile import EVIL, hostile
from tests.support.page_reader import Cell, Report, Table
from tests.support.tape_sums import View, lower, percentile
from tests.unit.export.test_page_numbers import DEMO, _function, inert, label, listed, read_back, summed, taped

QUANTILES = {"p50": "0.5", "p90": "0.9", "p99": "0.99"}


class Side:
    """A span of a tape, as the independent reader has it. start, end: of the steps that count, monotonic."""

    def __init__(self, path: Path, span: Span) -> None:
        self.path, self.span = path, span
        self.sums, self.taped = summed(path), taped(path)

    def view(self, number: int, name: str) -> View:
        return self.sums.runs[number].views[name]

    def gained(self, number: int, name: str) -> dict[tuple, Counter[str]]:
        return self.view(number, name).gained(self.span.start, self.span.end)

    def seconds(self, number: int, name: str) -> float:
        return self.view(number, name).seconds(self.span.start, self.span.end)


class Case:
    def __init__(self, before: Side, after: Side, *, one: bool) -> None:
        self.a, self.b = before, after
        tapes = [before.taped] if one else [before.taped, after.taped]
        parts = [Part(side.path.name, tapes[at].chapters[0], side.span) for side, at in ((before, 0), (after, -1))]
        self.found: Compared = compare_parts(parts[0], parts[1])
        self.text = compared_page(tapes, self.found, title="T").decode()
        self.page = Report(self.text)

    def views(self, show: str) -> Iterator[tuple[int, View, dict[str, Table], dict[str, str]]]:
        """Of all views of a kind that are compared."""
        found = 0
        for number, run in self.b.sums.runs.items():
            for name, view in run.views.items():
                shown = self.page.compared[run.probe].views.get(name)
                if view.info["show"] == show and shown is not None:
                    found += 1
                    yield number, view, shown.tables, shown.attributes
        assert found, f"no view of kind {show}"


@pytest.fixture(scope="module", params=["demo", "hand", "two"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    if request.param == "hand":
        path = hand_tape.written(tmp_path_factory.mktemp("tape") / "hand.tape")
        spans = Span(1000 * SECOND, 1002 * SECOND), Span(1002 * SECOND, 1005 * SECOND)
    else:
        path = DEMO
        steps = summed(DEMO).runs[1].views["latency"].steps
        spans = (
            Span(steps[3].end + 7, steps[25].end + 7),
            Span(steps[32].end + 7, steps[110].end + 7),
        )
    return Case(Side(path, spans[0]), Side(path, spans[1]), one=request.param != "two")


def holds(cell: Cell, expected: float | None, *, missing: bool = False) -> None:
    """Exactly, and to three digits. missing: whether there may have been nobody, where nothing was counted."""
    if expected is None or (missing and not expected and cell.value is None):
        assert (cell.value, cell.text) == (None, "–")
        return
    assert cell.value == pytest.approx(expected, rel=1e-9)
    if not cell.text.startswith("<"):
        assert read_back(cell.text) == pytest.approx(expected, rel=0.006, abs=0.0006)


def rates(cells: list[Cell], before: float, after: float) -> None:
    """Before, after, and the difference as the change's value."""
    holds(cells[0], before, missing=True)
    holds(cells[1], after, missing=True)
    assert cells[2].value == pytest.approx(after - before, abs=1e-9)
    factor(cells, before, after)


def factor(cells: list[Cell], before: float, after: float) -> None:
    told = cells[2].text.removeprefix("~ ").removeprefix("? ")
    if before == after:
        assert told in ("=", "new", "gone")  # nobody is not nothing
    elif before and after:
        assert told.startswith("×")
        assert read_back(told[1:]) == pytest.approx(after / before, rel=0.006, abs=0.0006)
    else:
        assert told == ("gone" if before else "new")


def values(cells: list[Cell], before: Counter[int], after: Counter[int], seconds: tuple[float, float]) -> None:
    """Values a second, and percentiles as bounds."""
    rates(cells[:3], before.total() / seconds[0], after.total() / seconds[1])
    for at, q in enumerate(QUANTILES.values(), 1):
        mine, other = percentile(before, q), percentile(after, q)
        for cell, found in zip(cells[3 * at : 3 * at + 2], (mine, other), strict=True):
            assert (cell.low, cell.value) == (found or (None, None))
        change = cells[3 * at + 2]
        if mine and other:
            assert change.value == sum(other) / 2 - sum(mine) / 2
            factor(cells[3 * at : 3 * at + 3], sum(mine) / 2, sum(other) / 2)
        else:
            assert change.text == ("–" if mine or other else "=")


def test_the_spans(case: Case) -> None:
    rows = case.page.tables["sides"].rows
    for row, side in zip(rows, (case.a, case.b), strict=True):
        within = [
            (view.steps[max(0, view.steps.index(step) - 1)].end, step)
            for run in side.sums.runs.values()
            for view in run.views.values()
            for step in view.within(side.span.start, side.span.end)
        ]
        lasting = [(before, step) for before, step in within if before < step.end]
        begin = min(step.realtime - (step.end - before) for before, step in lasting)
        end = max(step.realtime for _, step in lasting)
        assert (row[1].value, row[2].value, row[3].value) == (begin, end, end - begin)
        told = [side.path.name, side.sums.hello["host"], side.sums.hello["kernel"]]
        assert [cell.text for cell in row[4:]] == told


def test_tables(case: Case) -> None:
    for number, view, tables, _ in case.views("table"):
        name = view.info["name"]
        sides = [(side.gained(number, name), side.seconds(number, name)) for side in (case.a, case.b)]
        keys = {
            tuple(map(inert, label(case.b.sums, view, key))): key
            for gained, _ in sides
            for key in gained
            if listed(case.b.sums, view, key)
        }
        table = tables["rows"]
        first = next(at for at, title in enumerate(table.titles) if title.endswith("/s A"))
        assert len(table.rows) >= min(100, len(keys))  # also those whose gauges are known
        seen = 0
        for row in table.rows:
            key = keys.get(tuple(map(str, row[:first])))
            seen += key is not None
            for at, counter in enumerate(view.counters):
                pair = [gained[key][counter] / seconds if key in gained else 0.0 for gained, seconds in sides]
                rates(row[first + 3 * at : first + 3 * at + 3], *pair)
        assert seen == min(100, len(keys)) or len(table.rows) == 100


def test_histograms(case: Case) -> None:
    for number, view, tables, _ in case.views("histogram"):
        name = view.info["name"]
        sides = [side.view(number, name).slots(side.span.start, side.span.end) for side in (case.a, case.b)]
        seconds = (case.a.seconds(number, name), case.b.seconds(number, name))
        before, after = (sum(each.values(), Counter()) for each in sides)
        if not before and not after:
            assert tables == {}
            continue
        whole = [cell for row in tables["whole"].rows for cell in row[1:]]
        assert [row[0].text for row in tables["whole"].rows] == ["values/s", *QUANTILES]
        values(whole, before, after, seconds)
        keys = {
            tuple(map(inert, label(case.b.sums, view, key))): key
            for each in sides
            for key in each
            if listed(case.b.sums, view, key)
        }
        if not keys:
            assert "rows" not in tables
            continue
        table = tables["rows"]
        assert len(table.rows) == min(100, len(keys))
        first = table.titles.index("values/s A")
        for row in table.rows:
            key = keys[tuple(map(str, row[:first]))]
            values(row[first:], *(each.get(key, Counter()) for each in sides), seconds)
        for row in tables["buckets"].rows:
            shares = [
                100 * sum(n for slot, n in each.items() if row[0].low <= lower(slot) < row[0].value) / each.total()
                if each
                else 0.0
                for each in (before, after)
            ]
            for cell, share in zip(row[1:], (*shares, shares[1] - shares[0]), strict=True):
                assert cell.value == pytest.approx(share, abs=1e-9)
        assert sum(row[1].value for row in tables["buckets"].rows) == pytest.approx(100 if before else 0)


def came(side: Side, number: int) -> list[dict]:
    """The events that samples of a span brought."""
    found, waiting = [], []
    for _, frame in tape_sums.frames(side.path):
        if frame.get("run") != number:
            continue
        if frame["kind"] == "events":
            columns = {name: tape_sums.texts(column) for name, column in frame["columns"].items()}
            waiting += [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        elif frame["kind"] in ("snapshot", "changes"):
            if side.span.start < frame["monotonic_ns"] <= side.span.end:
                found += waiting
            waiting = []
    return found


def test_events_by_name(case: Case) -> None:
    for number, view, tables, _ in case.views("events"):
        pair = []
        for side in (case.a, case.b):
            ends = [
                frame["monotonic_ns"]
                for _, frame in tape_sums.frames(side.path)
                if frame.get("run") == number and frame["kind"] in ("snapshot", "changes")
            ]
            seconds = (min(ends[-1], side.span.end) - max(ends[0], side.span.start)) / 1e9
            names = Counter(side.sums.name(event[view.process])[1] or "" for event in came(side, number))
            pair.append({name: count / seconds for name, count in names.items()})
        rows = {row[0].text: row[1:] for row in tables["rows"].rows} if "rows" in tables else {}
        assert rows.keys() == {inert(name) for name in pair[0].keys() | pair[1].keys()}
        for name in pair[0].keys() | pair[1].keys():
            rates(rows[inert(name)], *(each.get(name, 0.0) for each in pair))


def test_call_stacks(case: Case) -> None:
    for number, view, tables, attributes in case.views("stacks"):
        own, total = (Counter(), Counter()), (Counter(), Counter())
        prefixes = (Counter(), Counter())
        for at, side in enumerate((case.a, case.b)):
            for key, gains in side.gained(number, view.info["name"]).items():
                if not listed(side.sums, view, key):
                    continue
                count = gains[view.counters[0]]
                functions = [_function(side.sums, each) for each in side.sums.stacks[key[-1]]]
                own[at][functions[-1][:2]] += count
                for each in {each[:2] for each in functions}:
                    total[at][each] += count
                path = [(label(side.sums, view, key[:-1])[1], "", "head"), *functions]
                for depth in range(1, len(path) + 1):
                    prefixes[at][tuple(path[:depth])] += count
        wholes = [each.total() for each in own]
        assert [int(attributes[f"data-{side}"]) for side in ("before", "after")] == wholes
        rows = tables["functions"].rows
        assert len(rows) == min(100, len(total[0] | total[1]))
        for row in rows:
            function = row[0].text, row[1].text
            for first, counts in ((2, own), (5, total)):
                shares = [100 * each[function] / whole for each, whole in zip(counts, wholes, strict=True)]
                for cell, share in zip(row[first:], (*shares, shares[1] - shares[0]), strict=False):
                    assert cell.value == pytest.approx(share, abs=1e-9)
        grew = [row[4].value for row in rows]
        assert grew == sorted(grew, reverse=True)
        check_flame(case, prefixes, wholes)


def check_flame(case: Case, prefixes: tuple[Counter, Counter], wholes: list[int]) -> None:
    """Each frame says its values in both spans, and has a sign where its share differs by much."""
    expected: dict[str, list[tuple[int, int]]] = {}
    for path in prefixes[0] | prefixes[1]:
        expected.setdefault(path[-1][0], []).append((prefixes[0][path], prefixes[1][path]))
    section = case.text[case.text.index('id="compared"') : case.text.index('class="stream"')]
    titles = [html.unescape(each) for each in re.findall(r"<title>([^<]* → B [^<]*)</title>", section)]
    found = re.search(r"Frames below (\S+) are left out", section)
    least = max(1, wholes[1] // 1000)
    assert found is None or int(found[1]) >= least
    assert len(titles) == sum(count >= (int(found[1]) if found else 1) for count in prefixes[1].values())
    for title in titles:
        numbers = re.fullmatch(
            r"(?:([+−]) )?(.*?)(?: · [^·]*)? · A ([^(]+) \((.*?)\) → B ([^(]+) \((.*?)\), (\S+) points", title
        )
        assert numbers, title
        pair = next(
            each
            for each in expected[numbers[2]]
            if [read_back(numbers[at]) for at in (3, 5)] == pytest.approx(each, rel=0.006)
        )
        shares = [100 * count / whole for count, whole in zip(pair, wholes, strict=True)]
        assert read_back(numbers[6]) == pytest.approx(shares[1], rel=0.006, abs=0.006)
        if numbers[1] == "+":
            assert shares[1] > shares[0]
        if numbers[1] == "−":
            assert shares[1] < shares[0]
        if not numbers[1] and min(pair) > 20:
            assert 0.5 < shares[1] / shares[0] < 2


def test_what_changed_most_comes_first_and_is_marked(case: Case) -> None:
    seen = 0
    for run in case.found.comparison.runs:
        for view in run.views:
            table = case.page.compared[run.probe].views[view.view.name].tables.get("rows")
            if table is None:
                continue
            order = [row for row in view.order().tolist() if not view.own[row]][:100]
            first = table.titles.index(next(each for each in table.titles if each.endswith(" A")))
            for number_at, number in enumerate(view.numbers):
                for row, index in zip(table.rows, order, strict=True):
                    told = row[first + 3 * number_at + 2].text
                    seen += told.startswith(("~", "?"))
                    if number.chance is None and not number.gauge:
                        assert told.startswith("?") or told in ("=", "–")
                    elif not number.gauge:
                        assert told.startswith("~") == (not number.changed[index]) or told in ("=", "–")
    assert seen


def test_a_and_b_stand_above_the_pictures_over_time(case: Case) -> None:
    drawn = Counter(given["class"] for _, given in case.page.elements if given.get("class", "").startswith("span-"))
    assert drawn["span-a"] == drawn["span-b"] > 0


def test_two_tapes_are_reported_one_after_the_other() -> None:
    span = Span(0, 1 << 62)
    page = Case(Side(DEMO, span), Side(DEMO, span), one=False)
    assert f"Before: {DEMO}" in page.page.text
    assert f"After: {DEMO}" in page.page.text
    assert not page.page.open


def test_what_is_selected_is_compared_and_said() -> None:
    side = Side(DEMO, Span())
    chapter = side.taped.chapters[0]
    steps = side.sums.runs[1].views["latency"].steps
    parts = [Part("x", chapter, Span(steps[first].end, steps[last].end)) for first, last in ((3, 25), (32, 110))]
    scope = Scope(selection=Selection((Choice("name", "web", "name", "web"),), chapter.session.processes))
    page = Report(compared_page([side.taped], compare_parts(*parts, scope=scope), title="T").decode())
    table = page.compared["cpu/runqlat"].views["latency"].tables["rows"]
    assert {row[1].text for row in table.rows} == {"web"}
    assert "only name web. " in page.text
    assert "not by name. " in page.text


def test_hostile_text_stays_text() -> None:
    chapter = Chapter()
    for at, frame in enumerate(hostile()):
        chapter.take(at * SECOND, frame)
    sampled = chapter.sampled
    assert sampled is not None
    middle = (sampled.start + sampled.end) // 2
    spans = Span(0, middle), Span(middle, sampled.end)
    found = compare_parts(*(Part(EVIL, chapter, span) for span in spans))
    written = page_of(Page("T", "x", [gather(chapter)], compared=found))
    page = Report(written)
    assert not page.open
    assert not {"img", "iframe"} & {name for name, _ in page.elements}
    assert [name for name, _ in page.elements].count("script") == 1
    assert not any("style" in given or any(key.startswith("on") for key in given) for _, given in page.elements)
    assert all(c.isprintable() or c == "\n" for c in written)


def test_spans_in_which_nothing_ran_in_both() -> None:
    side = Side(DEMO, Span())
    chapter = side.taped.chapters[0]
    sampled = chapter.sampled
    assert sampled is not None
    parts = [Part("x", chapter, Span(first, first + SECOND)) for first in (sampled.start - 9 * SECOND, sampled.start)]
    page = Report(compared_page([side.taped], compare_parts(*parts), title="T").decode())
    assert page.compared == {}
    assert "No probe ran in both." in page.text
    assert "only B" in page.text
