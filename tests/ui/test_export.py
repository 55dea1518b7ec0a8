"""`E` writes what is in front, or all probes, to a file; `y` copies a row or a view."""

from __future__ import annotations

import csv
import json
import os
import re
import stat
from pathlib import Path

import pytest
from textual.widgets import OptionList

from ebpftop.export.files import write
from ebpftop.frames.messages import AnyFrame, AnyRequest, Load
from ebpftop.frames.tape import TapeReader
from ebpftop.model.past.span import ALL, Recent
from ebpftop.model.scope import Scope
from ebpftop.model.selection import Selection, choice_of_process
from ebpftop.model.session import Session
from ebpftop.ui.actions import saving
from ebpftop.ui.actions.exporting import choices, exported, of_all
from ebpftop.ui.app.options import Options
from ebpftop.ui.screens.choosing import Choosing
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.export import ExportScreen
from tests.support import hand_tape
from tests.support.disks import files_of_at_most
from tests.support.frames import (
    EPOCH,
    SAMPLES,
    SECOND,
    columns,
    events,
    loaded,
    mark,
    process,
    processes,
    rejected,
    samples,
    snapshot,
    stacks,
)
from tests.support.page_reader import Report
from tests.support.schemas import check as check_shape
from tests.ui.conftest import Open, Stage
from tests.ui.probes import calls, latencies
from tests.ui.test_strip import profiling

LATENCY = Options(auto_load=[("cpu/runqlat", {})])
CALLS = Options(auto_load=[("cpu/syscount", {})])
EXECS = Options(auto_load=[("cpu/execsnoop", {})])
PEOPLE = processes(process(1, "postgres"), process(2, "\x1b[31mnode"), process(3, "make"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are written: the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(table: bytes, said: str = "") -> list[dict[str, str]]:
    """The rows of a table whose first line says what they are."""
    first, *rest = table.decode().splitlines()
    assert first.startswith("# ")
    assert said in first
    return list(csv.DictReader(rest))


def offered(on: Stage) -> list[str]:
    listed = on.app.screen.query_one(OptionList)
    return [str(listed.get_option_at_index(at).prompt) for at in range(listed.option_count)]


async def exporting(on: Stage) -> None:
    """Wait until nothing is being exported."""
    while any(each.group == "export" and not each.is_finished for each in on.app.workers):
        await on.pilot.pause(0.01)
    await on.settle()


async def chosen(on: Stage, what: str, folder: Path) -> bytes:
    """Export by keys; what the new file holds."""
    before = {*folder.iterdir()}
    await on.press("E")
    at = offered(on).index(what)
    await on.press(*["down"] * at, "enter")
    await exporting(on)
    assert isinstance(on.app.screen, Dashboard)
    (path,) = {*folder.iterdir()} - before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return path.read_bytes()


async def test_the_view_in_front_as_csv_and_ndjson_is_what_it_shows(stage: Open, folder: Path) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 500, 2: 10}), calls(2, {1: 505, 2: 60}))
        rows = read(await chosen(on, "System calls by process  as  CSV", folder), "cpu/syscount by process · all · 20")
        assert [(row["comm"], row["count"]) for row in rows] == [("\\x1b[31mnode", "50"), ("postgres", "5")]
        await on.press("t")
        rows = read(await chosen(on, "System calls by process  as  CSV", folder))
        assert [(row["comm"], row["count"]) for row in rows] == [("postgres", "505"), ("\\x1b[31mnode", "60")]
        line = json.loads(await chosen(on, "System calls by process  as  NDJSON", folder))
        check_shape("run", line)
        (view,) = line["views"].values()
        assert [row[-2] for row in view["rows"]] == [505, 60]


async def test_what_is_offered_depends_on_the_view(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 500}))
        await on.press("E")
        assert offered(on) == [
            "System calls by process  as  CSV",
            "System calls by process  as  NDJSON",
            "all probes, all that is kept  as  report, one HTML page",
            "all probes, all that is kept  as  NDJSON",
            "all probes, all that is kept  as  CSV",
        ]
        await on.press("escape")
        assert isinstance(on.app.screen, Dashboard)


async def test_without_a_probe_there_is_nothing_to_export(stage: Open, folder: Path) -> None:
    async with stage() as on:
        await on.press("E")
        assert isinstance(on.app.screen, ExportScreen)
        assert offered(on) == []
        await on.press("enter", "q")
        assert not [*folder.iterdir()]


async def test_the_report_of_what_is_remembered(stage: Open, folder: Path) -> None:
    async with stage(options=LATENCY) as on:
        await on.play(PEOPLE, latencies(1, {1: {5_000: 100}}), latencies(2, {1: {5_000: 130, 900_000: 3}}))
        await on.play(rejected(9, "lab/null-deref"), mark("deploy", at=5))
        await on.press("escape")
        page = Report((await chosen(on, "all probes, all that is kept  as  report, one HTML page", folder)).decode())
    run = next(iter(page.runs.values()))
    assert run.probe == "cpu/runqlat"
    assert next(iter(run.views.values())).tables["keys"].rows[0][2].value == 133
    assert "the memory of a dashboard on web-03" in page.text
    assert "Nothing was lost since it was attached." in page.text
    assert [(row[1].value, row[2].text, row[3].text[:8]) for row in page.tables["moments"].rows] == [
        (EPOCH + 2 * SECOND, "load failed", "lab/null"),
        (EPOCH + 5 * SECOND, "mark", "deploy"),
    ]


async def test_stacks_in_every_format(stage: Open, folder: Path) -> None:
    def answer(request: AnyRequest) -> list[AnyFrame]:
        return [loaded(9, "cpu/runqlat", SAMPLES)] if isinstance(request, Load) else []

    async with stage(options=LATENCY, answer=answer) as on:
        named = stacks({0: ["main", "work"], 1: ["main", "<b>"]})
        await on.play(PEOPLE, named, samples(9, 1, {(1, 0): 3, (2, 1): 4}))
        folded = await chosen(on, "CPU samples  as  folded stacks, for flamegraph.pl", folder)
        said, *lines = folded.decode().splitlines()
        assert lines == ["\\x1b[31mnode;main;<b> 4", "postgres;main;work 3"]
        assert re.fullmatch(r"# cpu/runqlat samples · all · \S+Z to \S+Z · 0 ns observed", said)
        speedscope = json.loads(await chosen(on, "CPU samples  as  speedscope, for speedscope.app", folder))
        assert speedscope["profiles"][0]["name"] == f"CPU samples · {said.partition(' · ')[2]}"
        assert speedscope["profiles"][0]["weights"] == [4, 3]
        svg = (await chosen(on, "CPU samples  as  flame graph as SVG", folder)).decode()
        assert svg.startswith("<svg ")
        assert 'xmlns="http://www.w3.org/2000/svg"' in svg
        assert f"<desc>CPU samples · {said.partition(' · ')[2]}</desc>" in svg
        assert "&lt;b&gt; · /bin/app · 4 (57.1%)" in svg
        assert "all probes, all that is kept  as  folded stacks, for flamegraph.pl" in await offers(on)


async def offers(on: Stage) -> list[str]:
    await on.press("E")
    found = offered(on)
    await on.press("escape")
    return found


@pytest.fixture
def deleted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The current folder has been deleted."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()


@pytest.mark.usefixtures("deleted")
async def test_a_folder_that_can_not_be_written_is_told(
    stage: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 500}))
        await on.press("E", "enter")
        await exporting(on)
        assert on.told() == ["not exported: No such file or directory"]


async def test_y_copies_the_row_under_the_cursor_else_the_view(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 500, 2: 10}), calls(2, {1: 505, 2: 60}))
        await on.press("y")
        lines = on.app.clipboard.splitlines()
        assert lines[0].startswith("cpu/syscount in 1 s · raw · exact")
        assert any("\\x1b[31mnode" in line and " 50 " in line for line in lines)
        await on.press("tab", "down", "y")
        assert "pid: 1002\nprocess: \\x1b[31mnode\ncalls/s: 50/s\n" in on.app.clipboard
        assert "\x1b" not in on.app.clipboard


async def test_y_copies_the_last_events(stage: Open) -> None:
    async with stage(options=EXECS) as on:
        number = next(each.id for each in on.app.feed.session.runs.values())
        many = [f"prog{n}" for n in range(60)]
        rows = columns(tgid=[1] * 60, path=many)
        await on.play(PEOPLE, snapshot(number, 1, {}), events(number, "events", rows), snapshot(number, 2, {}))
        await on.press("y")
        assert "60 events" in on.app.clipboard
        assert "prog59" in on.app.clipboard
        assert "prog10" in on.app.clipboard
        assert "prog9 " not in on.app.clipboard


async def test_what_is_selected_of_a_view_is_exported_and_copied(stage: Open, folder: Path) -> None:
    async with stage(PEOPLE, options=CALLS) as on:
        await on.play(calls(1, {1: 5, 3: 70}), calls(2, {1: 10, 3: 100}))
        await on.press("tab", "end", "full_stop", "escape", "y")
        copied = on.app.clipboard
        assert "postgres" in copied
        assert "make" not in copied
        await on.press("E")
        assert offered(on)[0] == "System calls by process · only postgres 1001  as  CSV"
        await on.press("enter")
        await exporting(on)
    (file,) = folder.iterdir()
    assert [row["comm"] for row in read(file.read_bytes(), " · only postgres 1001 · ")] == ["postgres"]


async def test_what_is_summed_and_filtered_is_exported_as_it_is_shown(stage: Open, folder: Path) -> None:
    people = processes(
        process(1, "postgres", user="db"), process(2, "vacuum", user="db"), process(3, "make", user="me")
    )
    async with stage(people, options=CALLS) as on:
        await on.play(calls(1, {1: 500, 2: 10, 3: 1}), calls(2, {1: 505, 2: 60, 3: 2}))
        await on.press("tab", "B")
        assert isinstance(on.app.screen, Choosing)
        await on.press(*["down"] * [each.title for each in on.app.screen.lines].index("by user"), "enter")
        table = await chosen(on, "System calls by process · by user  as  CSV", folder)
        assert [(row["user"], row["count"]) for row in read(table, " · by user · ")] == [("db", "55"), ("me", "1")]
        await on.press("f", *"db", "enter")
        said = "System calls by process · by user · matching “db”  as  CSV"
        assert [row["user"] for row in read(await chosen(on, said, folder))] == ["db"]
        await on.press("y")
        on.app.screen.set_focus(None)
        await on.press("y")
        assert "by user · matching “db” · " in on.app.clipboard
        assert " me " not in on.app.clipboard
        await on.press("escape")
        page = Report((await chosen(on, "all probes, all that is kept  as  report, one HTML page", folder)).decode())
        view = next(iter(page.runs.values())).views["by process"]
        assert view.attributes["data-rows"].startswith("by user")
        assert view.tables["rows"].rows[0][0].text == "db"


async def test_all_probes_are_exported_as_they_are_selected_and_in_the_span_that_was_chosen(
    stage: Open, folder: Path
) -> None:
    async with stage(PEOPLE, options=CALLS) as on:
        await on.play(*(calls(n, {1: 500 + n, 2: 10 * n, 3: 1}) for n in range(1, 9)))
        await on.press("tab", "home", "full_stop", "E")
        assert offered(on)[2] == "all probes, all that is kept, only \\x1b[31mnode 1002  as  report, one HTML page"
        await on.press("escape")
        said = "all probes, all that is kept, only \\x1b[31mnode 1002  as  CSV"
        (first, _) = (await chosen(on, said, folder)).decode().split("\n\n")
        rows = read(first.encode(), " · only \\x1b[31mnode 1002 · ")
        assert [(row["comm"], row["count"]) for row in rows] == [("\\x1b[31mnode", "80")]
        await on.press(*["right_curly_bracket"] * 2, *["left_parenthesis"])
        await on.press("E")
        (said,) = (each for each in offered(on) if each.startswith("all probes") and each.endswith("NDJSON"))
        span = said.removeprefix("all probes, ").partition(", only")[0]
        assert re.fullmatch(r"\d\d:\d\d:\d\d–\d\d:\d\d:\d\d", span)
        await on.press("escape")
        (line,) = (await chosen(on, said, folder)).decode().splitlines()
        view = json.loads(line)["views"]["by process"]
        assert (view["scope"]["rows"], view["scope"]["seconds"]) == (["only \\x1b[31mnode 1002"], 4.0)
        assert [row[-2] for row in view["rows"]] == [40]


async def test_the_slice_of_the_strip_is_what_is_exported(stage: Open, folder: Path) -> None:
    async with profiling(stage) as on:
        await on.press("o", "C", "C", "right", "home", *["right"] * 5, *["up"] * 5, "V", *["up"] * 5, "enter")
        said = "CPU samples · single samples of CPU 1, one each 20 ms  as  folded stacks, for flamegraph.pl"
        first, *lines = (await chosen(on, said, folder)).decode().splitlines()
        assert lines == ["node;main;burst 15"]
        assert first.endswith("Z · 300 ms observed")
        await on.press("backspace")
        whole = (await chosen(on, said.replace(" · single samples of CPU 1, one each 20 ms", ""), folder)).decode()
        assert whole.splitlines()[1:] == ["python3;main;idle_loop 400", "node;main;burst 15"]


async def test_ebpftops_own_rows_are_exported_when_they_are_shown(stage: Open, folder: Path) -> None:
    people = processes(process(1, "postgres"), process(7, "collect", own=True))
    async with stage(people, options=CALLS) as on:
        await on.play(calls(1, {1: 500, 7: 10}), calls(2, {1: 505, 7: 60}))
        said = "System calls by process  as  CSV"
        table = await chosen(on, said, folder)
        assert [row["comm"] for row in read(table, " · without ebpftop's own processes · ")] == ["postgres"]
        await on.press("M")
        assert [row["comm"] for row in read(await chosen(on, said, folder))] == ["collect", "postgres"]


async def test_of_a_tape_all_is_read_and_the_same_processes_are_selected(tmp_path: Path) -> None:
    path = hand_tape.written(tmp_path / "hand.tape")
    session = Session()
    for _, frame in TapeReader(path):
        session.feed(frame)
    make = session.processes[2]
    scope = Scope(Recent(1.0), Selection((choice_of_process(make),), session.processes))
    (table,) = (each for each in choices(session, None, None) if each.format == "csv")
    assert of_all(scope).wanted == ALL
    written = (await exported(table, session, None, of_all(scope), path)).decode()
    (calls,) = (each for each in written.split("\n\n") if each.startswith("# cpu/mixed calls · only make 1002 · "))
    assert [(row["comm"], row["count"]) for row in read(calls.encode())] == [("make", "80001")]
    assert "sh" not in {row.get("comm") for each in written.split("\n\n") for row in read(each.encode())}


async def test_an_export_that_does_not_fit_leaves_no_file(
    stage: Open, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 500}))
        for at in range(len(await offers(on))):
            await on.press("E", *["down"] * at)
            with files_of_at_most(20):
                await on.press("enter")
                await exporting(on)
            assert on.told()[-1] == "not exported: File too large"
            assert not [*folder.iterdir(), *home.iterdir()]


def test_a_file_that_does_not_fit_the_folder_goes_home_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(saving, "write", lambda path, data: _full(path) if path.parent == folder else write(path, data))
    path = saving.save("a b", "all of it")
    assert path.parent == home
    assert path.read_text() == "all of it"


def _full(path: Path) -> None:
    raise OSError(28, "No space left on device", path)


def test_a_file_gets_a_number_where_its_name_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving.time, "strftime", lambda _: "now")
    (folder / "a-now-2.txt").symlink_to(folder / "nowhere")
    assert [saving.save("a", text).name for text in "xyz"] == ["a-now.txt", "a-now-3.txt", "a-now-4.txt"]


@pytest.mark.usefixtures("deleted")
async def test_without_a_home_a_folder_that_can_not_be_written_is_told(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 54321)  # has no entry in passwd
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 500}))
        await on.press("E", "enter")
        await exporting(on)
        assert on.told() == ["not exported: No such file or directory"]
