"""Two spans beside each other on the dashboard: what views and tiles show of them, and what is exported."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import OptionList

import ebpftop as program
from ebpftop.export import comparison_json
from ebpftop.export.taped import read
from ebpftop.frames.messages import AnyFrame, Catalog, PlaybookInfo, Snapshot, StepInfo
from ebpftop.frames.tape import TapeReader
from ebpftop.frames.tape_source import TapeSource
from ebpftop.model.past.span import Span
from ebpftop.model.run import Run
from ebpftop.stats import formatting
from ebpftop.ui.app.app import EbpftopApp
from ebpftop.ui.app.options import Options
from ebpftop.ui.screens.choosing import Choosing
from ebpftop.ui.screens.tiles import Tiles
from ebpftop.ui.widgets.columns import GridColumn
from ebpftop.ui.widgets.compared_bars import ComparedBars
from ebpftop.ui.widgets.compared_panels import ComparedGrid, ComparedPanel
from ebpftop.ui.widgets.header import HeaderLine
from tests.support.command import ebpftop
from tests.support.frames import EPOCH, SECOND, process, processes, snapshot
from tests.support.page_reader import Report
from tests.ui.comparing import CALLS, LATENCY, PEOPLE, at, compared, halves, moment, press, second, title, values
from tests.ui.conftest import Open, Stage, seen
from tests.ui.probes import PROBES, RUN, calls, execs, latencies
from tests.ui.test_export import chosen, exporting, offered

DEMO = Path(program.__file__).parent / "demo.tape"
EXECS = Options(auto_load=[("cpu/execsnoop", {})])
REPORT_OF = "all probes, all that is kept"
PAGE = "report, one HTML page, A and B compared"
REPORT = f"{REPORT_OF}  as  {PAGE}"


async def test_a_table_shows_before_after_and_change_of_what_changed_most(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await halves(on, second)
        lines = on.see(ComparedGrid).splitlines()
        assert lines[0].split()[:6] == ["pid", "process", "calls/s", "A", "B", "change▼"]
        assert lines[1].split()[:5] == ["1002", "node", "20/s", "200/s", "×10"]
        assert "1 row changed" in title(on)
        rows = [line.split()[:5] for line in lines[2:4]]
        assert ["1003", "web", "5/s", "5/s", "="] in rows
        header = on.see(HeaderLine)
        assert f"comparing A {at(0)}–{at(30)} with B {at(30)}–{at(60)}" in header
        assert "live" not in header


async def test_histograms_stand_over_each_other_with_their_percentiles(stage: Open) -> None:
    async with stage(options=LATENCY) as on:
        await halves(on, values)
        lines = on.see(ComparedBars).splitlines()
        assert lines[0].split() == ["A", "B", "B", "−", "A", "▀", "A", "▄", "B"]
        fast = next(line for line in lines if line.split()[-4:-1] == ["100%", "54.5%", "−45.5"])
        slow = next(line for line in lines if "+45.5" in line)
        assert set(fast.split()[-1]) == {"▀"}  # what both have is painted in both colours
        assert slow.split()[-4:-1] == ["·", "45.5%", "+45.5"]
        assert set(slow.split()[-1]) == {"▄"}
        assert len(slow.split()[-1]) == round(0.455 * len(fast.split()[-1]))
        readings = {line.split()[0]: line for line in lines if line}
        assert readings["values/s"].split() == ["values/s", "110/s", "→", "110/s", "="]
        assert readings["p50"].split()[-1] == "="
        assert "×7" in readings["p99"]
        assert "p90, p99 changed; 1 row changed" in str(on.one(ComparedPanel).query("Framed").first().border_title)
        rows = [line.split() for line in on.see(ComparedGrid).splitlines()[1:3]]
        assert sorted(row[1] for row in rows) == ["node", "postgres"]


async def test_a_histogram_without_values_in_both_spans_says_so_and_has_no_numbers(stage: Open) -> None:
    async with stage(options=LATENCY) as on:
        await halves(on, lambda number: latencies(number, {1: {8_000: 7}}))
        top = on.one(ComparedPanel).query("Framed").first()
        assert "nothing was counted in either span" in str(top.border_title)
        assert not top.border_subtitle
        assert on.see(ComparedBars).strip() == ""


async def test_bars_are_told_apart_without_colour(stage: Open) -> None:
    async with stage(options=LATENCY) as on:
        await halves(on, values)
        on.one(ComparedBars).app.no_color = True
        on.one(ComparedBars).refresh()
        fast = next(line for line in on.see(ComparedBars).splitlines() if "−45.5" in line)
        bar = fast.split()[-1]
        assert set(bar) == {"█", "▀"}
        assert bar.startswith("█" * (len(bar) // 2))


async def test_a_few_steps_are_too_short_to_tell(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await halves(on, second)
        on.app.feed.when.choose(Span(moment(57), moment(60)))
        await on.app.draw()
        await compared(on)
        assert "too short to tell" in title(on)
        assert on.see(ComparedGrid).splitlines()[1].split()[1:6] == ["node", "20/s", "200/s", "?", "×9.98"]


async def test_nobody_and_nothing_are_told_apart(stage: Open) -> None:
    """A process that was born in B is missing in A; one that did nothing there has 0."""
    async with stage(options=CALLS) as on:
        young = process(4, "young", start_ns=moment(31) + 2600 * SECOND)
        await on.play(processes(young))

        def frame(number: int) -> Snapshot:
            counts = {1: 10 * number, 2: 5 * max(0, number - 30)}
            return calls(number, counts if number <= 31 else {**counts, 4: 7 * (number - 31)})

        await halves(on, frame)
        rows = {line.split()[1]: line.split()[2:] for line in on.see(ComparedGrid).splitlines()[1:4]}
        assert rows["young"][:1] == ["–"]
        assert rows["node"][:1] == ["0/s"]


def started(number: int) -> list[AnyFrame]:
    """postgres starts a program a second, and from the 31st on node four more."""
    rows = [(1, "/bin/a"), *[(2, "/bin/a" if at else "/bin/b") for at in range(4 if number > 30 else 0)]]
    return [execs(rows), snapshot(RUN["cpu/execsnoop"], number, {})]


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_events_are_counted_by_name_or_another_dimension_in_both_spans(
    stage: Open, size: tuple[int, int]
) -> None:
    async with stage(options=EXECS, size=size) as on:
        await on.play(PEOPLE, snapshot(RUN["cpu/execsnoop"], 0, {}), *(f for n in range(1, 61) for f in started(n)))
        on.app.feed.when.choose(Span(moment(0), moment(30)))
        await press(on, "a", "right_parenthesis", "b")
        rows = [line.split()[:4] for line in on.see(ComparedGrid).splitlines()[1:3]]
        assert rows == [["node", "0/s", "4/s", "new"], ["postgres", "1/s", "1/s", "="]]
        assert title(on).startswith("New programs · by name · ")
        assert "1 row changed" in title(on)
        await on.press("B")
        assert isinstance(on.app.screen, Choosing)
        offered = [each.title for each in on.app.screen.lines]
        assert "each row by itself" not in offered
        assert [each.title for each in on.app.screen.lines if each.made] == ["by name"]
        await press(on, *["down"] * offered.index("by program"), "enter")
        rows = [line.split()[:3] for line in on.see(ComparedGrid).splitlines()[1:3]]
        assert rows == [["/bin/a", "1/s", "4/s"], ["/bin/b", "0/s", "1/s"]]
        on.one(ComparedGrid).focus()
        await press(on, "home", "full_stop")
        assert [(each.dimension, each.value) for each in on.app.feed.selection.choices] == [("program", "/bin/a")]
        await press(on, "backspace", "b")
        assert on.app.dashboard.panel is not None
        assert on.app.dashboard.panel.group is not None  # it stays grouped
        await press(on, "b")
        assert title(on).startswith("New programs · by program · ")


@pytest.mark.parametrize("options", [CALLS, LATENCY])
async def test_rows_are_summed_while_spans_are_compared(stage: Open, options: Options) -> None:
    people = processes(process(1, "postgres", user="db"), process(2, "node", user="www"), process(3, "web", user="www"))
    async with stage(options=options) as on:
        frame = second if options is CALLS else values
        await on.play(people, *map(frame, range(0, 61)))
        on.app.feed.when.choose(Span(moment(0), moment(30)))
        await press(on, "a", "right_parenthesis", "b", "B")
        assert isinstance(on.app.screen, Choosing)
        at_ = [each.title for each in on.app.screen.lines].index("by user")
        await press(on, *["down"] * at_, "enter")
        rows = [line.split()[:3] for line in on.see(ComparedGrid).splitlines()[1:3]]
        expected = [["www", "25/s", "205/s"], ["db", "10/s", "10/s"]]
        assert (rows == expected) is (options is CALLS)
        if options is LATENCY:
            assert sorted(row[0] for row in rows) == ["db", "www"]
            assert on.see(ComparedGrid).splitlines()[0].split()[0] == "user"
        assert "by user" in title(on)


async def until(on: Stage, done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await on.pilot.pause(0.02)
    await on.settle()


def holds(run: Run, origin: int, first: int, last: int) -> bool:
    """Whether the past of a tape's run was read from a second of it to another."""
    return all(
        past.begin is not None
        and past.end is not None
        and past.begin < origin + first * SECOND
        and past.end > origin + last * SECOND
        for past in run.pasts.values()
    )


async def test_the_numbers_are_those_of_the_command() -> None:
    """Of a tape, for the same spans, which are seconds of it."""
    a, b = (2, 13), (14, 40)
    told = json.loads(ebpftop("compare", DEMO, "--a", f"{a[0]}..{a[1]}", "--b", f"{b[0]}..{b[1]}", "--json").stdout)
    origin = read(TapeReader(DEMO)).chapters[0].origin_ns
    assert origin is not None
    app = EbpftopApp(source := TapeSource(DEMO, paused=True))
    async with app.run_test(size=(200, 60)) as pilot:
        on = Stage(app, pilot, source)
        source.seek(49)
        await until(
            on, lambda: (last := app.feed.session.newest) is not None and last.monotonic_ns >= origin + 48 * SECOND
        )
        await until(on, lambda: all(holds(run, origin, a[0], b[1]) for run in app.feed.session.runs.values()))
        app.feed.when.a = Span(origin + a[0] * SECOND, origin + a[1] * SECOND)
        app.feed.when.choose(Span(origin + b[0] * SECOND, origin + b[1] * SECOND))
        seen_views = []
        await on.press("b")
        for probe in [run for run in told["probes"] if any(v["kind"] != "stacks" for v in run["views"].values())]:
            run = next(run for run in app.feed.session.runs.values() if run.probe == probe["probe"])
            await app.dashboard.bring(run.id)
            for name, view in probe["views"].items():
                if view["kind"] == "stacks":  # a flame graph
                    continue
                pane = app.dashboard.pane
                assert pane is not None
                pane.turn_to(name)
                await app.dashboard.draw_front()
                await until(on, lambda place=(run.id, name): place in app.feed.comparing._found)
                found = app.feed.comparing._found[run.id, name][1][0]
                assert found is not None
                assert json.loads(json.dumps(comparison_json.view_as_json(found))) == view
                if not view["rows"]:  # nothing was held up
                    continue
                seen_views.append(name)
                grid = pane.panel.query_one(ComparedGrid)
                first = view["rows"][0]["numbers"][found.first.name]
                if found.first.rate:
                    assert grid.cell(0, _column(grid, f"{found.first.name}.b")) == formatting.rate(
                        first["after"], found.first.unit
                    )
        assert len(seen_views) == 6


def _column(grid: ComparedGrid, name: str) -> GridColumn:
    return next(column for column in grid.columns if column.name == name)


async def test_numbers_stand_whole_or_not_at_all(stage: Open) -> None:
    async with stage(options=LATENCY, size=(80, 24)) as on:
        await halves(on, values)
        header = on.see(ComparedGrid).splitlines()[0].split()
        assert header == ["pid", "Process", "values/s", "A", "B", "change▼", "+11›"]
        grid = on.one(ComparedGrid)
        grid.sort_by("p99.change")
        await on.settle()
        header = on.see(ComparedGrid).splitlines()[0].split()
        assert header == ["pid", "Process", "p99", "A", "B", "change▼", "+11›"]
        assert on.see(ComparedGrid).splitlines()[1].split()[1] == "postgres"


async def test_what_is_selected_is_compared(stage: Open) -> None:
    async with stage(options=LATENCY) as on:
        await halves(on, values)
        before = on.app.feed.comparing.state
        on.one(ComparedGrid).focus()
        on.one(ComparedGrid).search("node")
        await press(on, "down", "full_stop")
        await until(on, lambda: on.app.feed.comparing.state != before)
        await compared(on)
        framed = on.one(ComparedPanel).query("Framed").first()
        assert "only node 1002 · within normal variation" in str(framed.border_title)
        assert "values/s" in on.see(ComparedBars)
        rates = next(line for line in on.see(ComparedBars).splitlines() if line.startswith("values/s"))
        assert rates.split() == ["values/s", "10/s", "→", "10/s", "="]
        assert len([line for line in on.see(ComparedGrid).splitlines() if line]) == 2


async def test_the_comparison_is_exported_and_copied(
    stage: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with stage(options=CALLS) as on:
        await halves(on, second)
        await on.press("y")
        assert on.app.clipboard.splitlines()[0] == "System calls by process: 1 row changed"
        assert [line.split()[1:5] for line in on.app.clipboard.splitlines() if "node" in line] == [
            ["node", "20/s", "200/s", "×10"]
        ]
        await on.press("E")
        assert str(on.app.screen.query_one(OptionList).get_option_at_index(0).prompt) == (
            "System calls by process  as  JSON, A and B compared"
        )
        await on.press("enter")
        await exporting(on)
        (path,) = tmp_path.glob("**/*.json")
        rows = {row["labels"]["comm"]: row["numbers"]["count"] for row in json.loads(path.read_text())["rows"]}
        assert (rows["node"]["changed"], rows["web"]["changed"]) == (True, False)
        assert round(rows["node"]["after"]) == 200
        path.unlink()
        on.one(ComparedGrid).focus()
        await press(on, "home", "full_stop", "escape")
        on.app.screen.set_focus(None)
        await on.press("y")
        assert on.app.clipboard.splitlines()[:2] == ["only node 1002", "System calls by process: 1 row changed"]
        compared = "System calls by process · only node 1002  as  JSON, A and B compared"
        found = json.loads(await chosen(on, compared, tmp_path))
        assert found["scope"] == {"rows": ["only node 1002"]}
        assert [row["labels"]["comm"] for row in found["rows"]] == ["node"]


async def test_the_report_compares_what_is_compared(
    stage: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with stage(options=CALLS) as on:
        await on.press("E")
        assert not any("compared" in each for each in offered(on))
        await on.press("escape")
        await halves(on, second)
        page = Report((await chosen(on, REPORT, tmp_path)).decode())
        assert "the memory of a dashboard on web-03" in page.text
        assert [(row[0].text, row[1].value, row[2].value) for row in page.tables["sides"].rows] == [
            ("A, before", EPOCH, EPOCH + 30 * SECOND),
            ("B, after", EPOCH + 30 * SECOND, EPOCH + 60 * SECOND),
        ]
        rows = page.compared["cpu/syscount"].views["by process"].tables["rows"].rows
        assert [cell.text for cell in rows[0][1:5]] == ["node", "20/s", "200/s", "×10"]
        assert {row[1].text: row[4].text for row in rows[1:]} == {"web": "=", "postgres": "="}
        run = next(iter(page.runs.values()))
        assert run.views["by process"].attributes["data-seconds"] == "60.0", "the rest is about all there is"
        on.one(ComparedGrid).focus()
        await press(on, "home", "full_stop")
        page = Report((await chosen(on, f"{REPORT_OF}, only node 1002  as  {PAGE}", tmp_path)).decode())
        rows = page.compared["cpu/syscount"].views["by process"].tables["rows"].rows
        assert [row[1].text for row in rows] == ["node"]
        assert "only node 1002. 1 row changed" in page.text


PLAYBOOK = PlaybookInfo(
    name="both",
    title="Both",
    summary="Two views.",
    steps=[StepInfo(probe="cpu/runqlat", question="Waiting?"), StepInfo(probe="cpu/syscount", question="Calling?")],
)


async def test_tiles_are_compared_too(stage: Open) -> None:
    async with stage(first=Catalog(probes=list(PROBES), playbooks=[PLAYBOOK]), options=Options(playbook="both")) as on:
        await on.play(PEOPLE, *(frame for n in range(0, 61) for frame in (second(n), values(n))))
        on.app.feed.when.choose(Span(moment(0), moment(30)))
        await on.press("a", "right_parenthesis", "b")
        tiles = on.app.screen
        assert isinstance(tiles, Tiles)
        await until(on, lambda: all(each.found for each in tiles.query(ComparedBars)))
        await until(on, lambda: all(each.count for each in tiles.query(ComparedGrid)))
        table = next(panel for panel in tiles.query(ComparedPanel) if panel.view.show == "table")
        assert seen(table.query_one(ComparedGrid)).splitlines()[1].split()[:4] == ["node", "20/s", "200/s", "×10"]
        await on.press("b")
        assert not tiles.query(ComparedPanel)
