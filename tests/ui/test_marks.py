"""Marks and recordings in the dashboard."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest
from textual.widgets import Input

from ebpftop.frames.messages import AnyFrame, AnyRequest, Hello, Host, Load, Loaded, Mark, Refused, Snapshot
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.frames.tape_source import TapeSource
from ebpftop.model.past.span import Span
from ebpftop.model.trigger import parse
from ebpftop.model.watching import Watching
from ebpftop.ui.app.app import EbpftopApp
from ebpftop.ui.app.options import Options
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.marks import MarkList
from ebpftop.ui.screens.naming import MarkForm, RecordForm
from ebpftop.ui.screens.parameters import WHEN, ParameterForm
from ebpftop.ui.widgets.caption import Caption
from ebpftop.ui.widgets.header import HeaderLine
from tests.support.frames import EPOCH, SECOND, catalog, hello, loaded, mark, process, processes
from tests.ui.conftest import Open, Stage, answers
from tests.ui.probes import PROBES, RUN, calls, latencies

CALLS = Options(auto_load=[("cpu/syscount", {})])
PEOPLE = processes(process(1, "postgres"))


def texts(on: Stage) -> list[tuple[str, str]]:
    return [(each.text, each.origin) for each in on.app.feed.session.marks]


async def test_m_marks_the_moment_of_the_key(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(1, {1: 5}))
        before = time.monotonic_ns()
        await on.press("m")
        after = time.monotonic_ns()
        assert isinstance(on.app.screen, MarkForm)
        await on.press(*"deploy 42", "enter")
        assert isinstance(on.app.screen, Dashboard)
        (one,) = on.app.feed.session.marks
        assert (one.text, one.origin) == ("deploy 42", "person")
        assert before - 10**7 <= one.monotonic_ns <= after + 10**7
        await on.press("m", "escape")
        await on.press("m", "space", "enter")
        assert isinstance(on.app.screen, MarkForm)  # a mark has a text
        await on.press("escape")
        assert len(on.app.feed.session.marks) == 1


async def test_marks_from_outside_are_told_and_survive_a_new_stream(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        on.app.marking.from_outside("deploy\x1b[31m")
        await on.settle()
        assert on.told() == ["mark: deploy\\x1b[31m"]
        await on.play(hello(), catalog(*PROBES))
        assert texts(on) == [("deploy\\x1b[31m", "outside")]


@pytest.mark.parametrize(("of_tape", "text"), [(True, "look here"), (False, "look here  by command")])
def test_marks_of_a_tape_are_captions_wherever_they_came_from(of_tape: bool, text: str) -> None:
    (option,) = MarkList([mark("look here", 1, origin="outside")], of_tape=of_tape).list.options
    assert str(option.prompt).split("  ", 1)[1] == text


async def test_the_list_of_marks(stage: Open) -> None:
    async with stage(options=CALLS, size=(100, 30)) as on:
        await on.press("apostrophe")
        assert on.told() == ["no marks yet: m sets one"]
        await on.play(mark("\x1b[2Jboom [bold]", 1, origin="trigger"), mark("deploy", 2, origin="outside"))
        await on.press("apostrophe")
        screen = on.app.screen
        assert isinstance(screen, MarkList)
        assert screen.list.highlighted == 1
        shown = [str(option.prompt).split("  ", 1)[1] for option in screen.list.options]
        assert shown == ["\\x1b[2Jboom [bold]  trigger", "deploy  by command"]
        await on.press("escape")
        assert isinstance(on.app.screen, Dashboard)


async def test_a_span_that_stands_is_gone_to_and_marked_at_its_end(stage: Open) -> None:
    async with stage(options=CALLS, size=(100, 30)) as on:
        await on.play(PEOPLE, *(calls(second, {1: 5 * second}) for second in range(6)), mark("deploy", 1.5))
        await on.press("apostrophe", "enter")
        assert isinstance(on.app.screen, Dashboard)
        assert on.app.feed.when.still
        assert on.app.feed.when.wanted == Span(1001 * SECOND, 1002 * SECOND)  # the step that holds it
        await on.press("m", *"end", "enter")
        assert on.app.feed.session.marks[-1] == mark("end", 2)


async def test_a_trigger_marks_and_tells(stage: Open) -> None:
    watching = Watching([parse("syscount rate > 100/s")])
    async with stage(options=Options(auto_load=CALLS.auto_load, watching=watching)) as on:
        await on.play(PEOPLE, calls(0, {1: 5}), calls(1, {1: 505}))
        assert texts(on) == [("syscount rate > 100/s: 500/s", "trigger")]
        assert on.told() == ["syscount rate > 100/s: 500/s"]


async def test_a_trigger_is_typed_in_the_probes_form(stage: Open) -> None:
    async with stage(size=(120, 40)) as on:
        on.app.push_screen(ParameterForm(next(probe for probe in PROBES if probe.id == "cpu/syscount")))
        await on.settle()
        form = on.app.screen
        assert isinstance(form, ParameterForm)
        form.when.value = "rate cuont > 100/s"
        form.when.focus()
        await on.press("enter")
        assert "cpu/syscount has no counter 'cuont'; did you mean count?" in str(form.errors[WHEN].content)
        form.when.value = "rate count > 100/s"
        await on.press("enter")
        assert isinstance(on.app.screen, Dashboard)
        await on.play(PEOPLE, calls(0, {1: 5}), calls(1, {1: 505}))
        assert texts(on) == [("cpu/syscount rate count > 100/s: 500/s", "trigger")]


async def test_a_trigger_of_a_form_that_was_refused_is_forgotten(stage: Open) -> None:
    def answer(request: AnyRequest) -> Iterable[AnyFrame]:
        refused = isinstance(request, Load) and "pid" not in request.params
        return [Refused(request=request.request, error="cpu/runqlat: pid: say which")] if refused else answers(request)

    async with stage(size=(120, 40), answer=answer) as on:
        on.app.push_screen(ParameterForm(next(probe for probe in PROBES if probe.id == "cpu/runqlat")))
        await on.settle()
        form = on.app.screen
        assert isinstance(form, ParameterForm)
        form.when.value = "p99 > 2ms"
        await on.press("enter")
        assert on.app.screen is form
        form.when.value = "p99 > 20ms"
        await on.press(*"7", "enter")
        assert on.app.screen is on.app.dashboard
        await on.play(PEOPLE, latencies(1, {1: {1_000: 1}}), latencies(2, {1: {5_000_000: 100}}))
        assert texts(on) == [], "5 ms isn't over 20 ms"
        await on.play(latencies(3, {1: {5_000_000: 100, 40_000_000: 900}}))
        assert len(texts(on)) == 1


async def recording(on: Stage, path: Path | str, *minutes: str) -> None:
    await on.press("r")
    screen = on.app.screen
    assert isinstance(screen, RecordForm)
    screen.file.value = str(path)
    await on.press(*minutes, "enter")


def on_tape(path: Path) -> list[object]:
    reader = TapeReader(path)
    frames = [frame for _, frame in reader]
    reader.close()
    return list(frames)


def samples(frames: list[object]) -> list[int]:
    return [frame.seq for frame in frames if isinstance(frame, Snapshot)]


async def test_r_records_from_now_on(stage: Open, tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    async with stage(options=CALLS, size=(160, 40)) as on:
        await on.play(PEOPLE, calls(0, {1: 5}), calls(1, {1: 6}))
        assert "rec" not in on.see(HeaderLine)
        await recording(on, path)
        await on.play(calls(2, {1: 7}), mark("deploy", 2))
        on.app.feed.mark(mark("mine", 2.5))
        await on.play(calls(3, {1: 9}), Host(realtime_ns=EPOCH, cpu_percent=1, memory_percent=1, load=1))
        assert "rec " in on.see(HeaderLine)
        await on.press("r")
        assert "rec " not in on.see(HeaderLine)
        assert on.told()[-1].startswith(f"{path}: ")
        await on.play(calls(4, {1: 10}))
    frames = on_tape(path)
    assert isinstance(frames[0], Hello)
    assert [frame.probe for frame in frames if isinstance(frame, Loaded)] == ["cpu/syscount"]
    assert samples(frames) == [2, 3]
    assert [frame.text for frame in frames if isinstance(frame, Mark)] == ["deploy", "mine"]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_trigger_that_fires_is_on_the_tape_once(stage: Open, tmp_path: Path) -> None:
    watching = Watching([parse("syscount rate > 100/s")])
    async with stage(options=Options(auto_load=CALLS.auto_load, watching=watching)) as on:
        await on.play(PEOPLE, calls(0, {1: 5}))
        await recording(on, tmp_path / "a.tape", "1")
        await on.play(calls(1, {1: 505}), calls(2, {1: 506}))
    (found,) = [frame for frame in on_tape(tmp_path / "a.tape") if isinstance(frame, Mark)]
    assert found.text == "syscount rate > 100/s: 500/s"


async def test_r_records_the_minutes_in_memory(stage: Open, tmp_path: Path) -> None:
    """A tape that isn't ended by hand is whole when the dashboard has ended."""
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(0, {1: 5}), calls(1, {1: 6}))
        await recording(on, tmp_path / "a.tape", "1", "0")
        await on.play(calls(2, {1: 7}))
    frames = on_tape(tmp_path / "a.tape")
    assert samples(frames) == [0, 1, 2]


@pytest.mark.parametrize(
    ("minutes", "name", "why"),
    [
        ("x", "a.tape", "not a number of minutes"),
        ("-1", "a.tape", "not a number of minutes"),
        ("nan", "a.tape", "not a number of minutes"),
        ("1", "there", "there exists"),
        ("1", "no/such/a.tape", "No such file or directory"),
        ("1", "link", "link is a symbolic link, which is not followed"),
        ("1", "~nobody-has-it/a.tape", "no home folder is known for ~nobody-has-it"),
        ("1", "", "✗ give the file a name"),
        ("1", "  ", "✗ give the file a name"),
    ],
)
async def test_what_can_not_be_recorded_is_said_in_the_form(
    stage: Open, tmp_path: Path, minutes: str, name: str, why: str
) -> None:
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    async with stage(options=CALLS, size=(160, 40)) as on:
        await on.play(PEOPLE, calls(0, {1: 5}))
        await recording(on, name if name[:1] in ("", " ", "~") else tmp_path / name, *minutes)
        screen = on.app.screen
        assert isinstance(screen, RecordForm)
        assert why in str(screen.error.content)
        assert isinstance(on.app.focused, Input)
        await on.press("escape")
        assert "rec " not in on.see(HeaderLine)
    assert (tmp_path / "there").read_text() == "mine"


async def test_a_full_disk_ends_the_tape_readably_and_the_dashboard_goes_on(
    stage: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tape"
    async with stage(options=CALLS, size=(160, 40)) as on:
        await on.play(PEOPLE, calls(0, {1: 5}))
        await recording(on, path, "1")
        await on.play(calls(1, {1: 6}))
        assert on.app.feed.keeping is not None
        tape = on.app.feed.keeping.tape
        assert tape is not None
        tape.flush()
        _fill(monkeypatch, tape)
        await on.play(calls(2, {1: 8}))
        monkeypatch.undo()
        assert on.told()[-1] == f"recording stopped: No space left on device; {path} ends here"
        await on.play(calls(3, {1: 9}))
        assert on.app.feed.session.runs[RUN["cpu/syscount"]].last is not None
        assert "rec " not in on.see(HeaderLine)
        await recording(on, tmp_path / "b.tape")
        await on.play(calls(4, {1: 10}))
    reader = TapeReader(path)
    assert "truncated" in reader.problem
    found = []
    with pytest.raises(Exception, match="truncated"):
        found.extend(frame.seq for _, frame in reader if isinstance(frame, Snapshot))
    reader.close()
    assert samples(on_tape(tmp_path / "b.tape")) == [4]


def _fill(monkeypatch: pytest.MonkeyPatch, tape: TapeWriter) -> None:
    """The disk is full, and the tape's next frame is written at once."""
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if descriptor != tape._fd:
            return write(descriptor, data)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr("ebpftop.frames.tape_format.BLOCK_SIZE", 1)


def taped(path: Path, text: str = "deploy") -> Path:
    now = 0
    syscount = next(probe for probe in PROBES if probe.id == "cpu/syscount")
    with TapeWriter(path, clock=lambda: now * 10**9) as tape:
        for frame in (hello(), catalog(*PROBES), PEOPLE, loaded(RUN["cpu/syscount"], "cpu/syscount", *syscount.views)):
            tape.write(frame)
        for now in range(60):
            tape.write(calls(now, {1: now}))
            if now == 40:
                tape.write(mark(text, 40, origin="outside"))
    return path


async def test_marks_of_a_tape_are_gone_to_and_set(tmp_path: Path) -> None:
    source = TapeSource(taped(tmp_path / "a.tape"), paused=True)
    app = EbpftopApp(source)
    async with app.run_test(size=(100, 30)) as pilot:
        on = Stage(app, pilot, source)
        source.seek(10)
        await _at(on, 10)
        assert texts(on) == [("deploy", "outside")]  # though it is yet to come
        source.seek(50)
        await _at(on, 50)
        await on.press("m", *"later", "enter")
        assert texts(on) == [("deploy", "outside"), ("later", "person")]
        await on.press("r")
        assert on.told() == ["this is a tape: r records live data only"]
        while app.feed.session.reach.end < 1059 * SECOND:  # read ahead
            await on.pilot.pause(0.02)
        await on.press("apostrophe", "up", "enter")
        await on.settle()
        assert app.feed.when.wanted == Span(1039 * SECOND, 1040 * SECOND)
        assert f"{datetime.fromtimestamp(EPOCH / SECOND + 40):%H:%M:%S} · tape 0:50" in on.see(HeaderLine)
        assert texts(on) == [("deploy", "outside"), ("later", "person")]


async def test_a_mark_of_a_tape_is_where_the_span_stands_also_ahead_of_what_was_played(tmp_path: Path) -> None:
    source = TapeSource(taped(tmp_path / "a.tape"), paused=True)
    app = EbpftopApp(source)
    async with app.run_test(size=(100, 30)) as pilot:
        on = Stage(app, pilot, source)
        source.seek(10)
        await _at(on, 10)
        while app.feed.session.reach.end < 1059 * SECOND:  # read ahead
            await on.pilot.pause(0.02)
        app.feed.when.choose(Span(1039 * SECOND, 1040 * SECOND))
        await on.press("m", *"here", "enter")
        assert [mark.monotonic_ns for mark in app.feed.session.marks if mark.text == "here"] == [1040 * SECOND]


CAPTION = "o shows it over time: look at the upper edge from the moment on when the batch job starts to compress"


@pytest.mark.parametrize(("width", "lines"), [(120, 1), (80, 2)])
async def test_a_mark_is_shown_for_a_while_once_a_tape_was_played_past_it(
    tmp_path: Path, width: int, lines: int
) -> None:
    source = TapeSource(taped(tmp_path / "a.tape", f"\x1b[2J[bold]{CAPTION}"), paused=True)
    app = EbpftopApp(source)
    async with app.run_test(size=(width, 24)) as pilot:
        on = Stage(app, pilot, source)
        source.seek(39)
        await _at(on, 39)
        caption, body = on.one(Caption), on.app.screen.query_one("#body")
        top = body.region.y
        assert not caption.display
        source.seek(41)
        await _at(on, 41)
        assert on.see(Caption).split() == f"▼ \\x1b[2J[bold]{CAPTION}".split()
        assert (caption.size.height, body.region.y) == (lines, top + lines)
        painted = caption._strips
        source.seek(54)
        await _at(on, 54)
        assert caption._strips is painted  # nothing changed, nothing was drawn
        source.seek(55)
        await _at(on, 55)
        assert not caption.display
        assert body.region.y == top


async def test_a_mark_takes_no_line_live(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, calls(0, {1: 5}), mark("deploy", 0.5), calls(1, {1: 6}))
        assert texts(on) == [("deploy", "person")]
        assert not on.one(Caption).display


async def _at(on: Stage, second: int) -> None:
    """Wait until the session has got there."""
    for _ in range(300):
        await on.settle()
        run = on.app.feed.session.runs.get(RUN["cpu/syscount"])
        if run is not None and run.last is not None and run.last.seq == second:
            return
    raise AssertionError("it never came there")
