import asyncio
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from ebpftop.export.recorder import record
from ebpftop.frames import outside
from ebpftop.frames.messages import AnyFrame, Detach, Detached, Load, Mark, Refused
from ebpftop.frames.recent import Recent
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.model.tape_folder import TapeFolder
from ebpftop.model.trigger import parse
from ebpftop.model.watching import Watching
from ebpftop.stats import formatting
from tests.support.collector import Scripted
from tests.support.frames import (
    CALLS,
    LATENCY,
    columns,
    detached,
    hello,
    loaded,
    process,
    processes,
    rejected,
    snapshot,
)

RUNS = {"cpu/syscount": 1, "cpu/runqlat": 2, "lab/null-deref": 3}
SECRET = processes(process(1, "sh", command="sh -c hunter2"))


def on_load(request: Load) -> Sequence[AnyFrame]:
    run = RUNS.get(request.probe)
    if run is None:
        return [Refused(request=request.request, error=f"no probe {request.probe!a}")]
    if run == 3:
        return [rejected(3, request.probe)]
    return [
        *([hello(), SECRET] if run == 1 else []),
        loaded(run, request.probe, CALLS if run == 1 else LATENCY, params=request.params),
        snapshot(run, 0, {}, lost=4),
    ]


async def recorded(
    path: Path, *probes: str, force: bool = False, args: bool = False, reason: str = ""
) -> tuple[int, str, Scripted]:
    stop = asyncio.Event()
    waiting = iter(probes[1:])

    def answered() -> None:
        if next(waiting, None) is None:
            stop.set()

    last = snapshot(1, 1, {"calls": columns(tgid=[1], nr=["read"], count=[5], last_ns=[0])})
    source = Scripted(on_load, [last, Detached(run=1, reason=reason), detached(2)], after_load=answered)
    err = io.StringIO()
    async with asyncio.timeout(10):
        code = await record(
            source,
            [
                Load(request=number, probe=probe, params={"pid": "7"}, interval=0.5)
                for number, probe in enumerate(probes, 1)
            ],
            path,
            duration=None,
            args=args,
            force=force,
            err=err,
            stop=stop,
        )
    return code, err.getvalue(), source


def on_tape(path: Path) -> list[AnyFrame]:
    return [frame for _, frame in TapeReader(path)]


async def test_several_probes_go_into_one_tape(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    code, err, source = await recorded(path, "cpu/syscount", "cpu/runqlat")
    assert code == 0
    assert source.requests == [
        Load(request=1, probe="cpu/syscount", params={"pid": "7"}, interval=0.5),
        Load(request=2, probe="cpu/runqlat", params={"pid": "7"}, interval=0.5),
        Detach(run=1),
        Detach(run=2),
    ]
    frames = on_tape(path)
    assert frames[0] == hello()
    assert [frame.__struct_config__.tag for frame in frames[1:]] == [
        *("processes", "loaded", "snapshot", "loaded", "snapshot"),
        *("snapshot", "detached", "detached"),
    ]
    assert "hunter2" not in repr(frames)
    assert err.startswith(f"{path}: 2 probes · ")
    assert err.endswith(" · lost 4\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert source.closed


async def test_command_lines_when_asked_for(tmp_path: Path) -> None:
    await recorded(tmp_path / "a.tape", "cpu/syscount", args=True)
    assert SECRET in on_tape(tmp_path / "a.tape")


async def test_an_existing_tape_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    path.write_text("mine")
    code, err, source = await recorded(path, "cpu/syscount")
    assert (code, err) == (1, f"ebpftop: {path} exists; --force overwrites it\n")
    assert source.requests == []
    assert source.closed
    assert path.read_text() == "mine"
    code, _, _ = await recorded(path, "cpu/syscount", force=True)
    assert (code, on_tape(path)[0]) == (0, hello())


async def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    code, err, _ = await recorded(tmp_path / "none" / "a.tape", "cpu/syscount")
    assert (code, err) == (1, f"ebpftop: {tmp_path}/none/a.tape: No such file or directory\n")


async def test_a_rejected_probe_is_on_the_tape_and_the_others_run_on(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    code, err, _ = await recorded(path, "cpu/syscount", "lab/null-deref")
    assert code == 1
    assert err.startswith("ebpftop: lab/null-deref: rejected by the verifier: R0 invalid mem access")
    assert f"{path}: 1 of 2 probes · " in err
    assert rejected(3, "lab/null-deref", request=2) in on_tape(path)
    assert on_tape(path)[-1] == detached(1)


async def test_a_probe_that_was_detached_unasked_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    code, err, _ = await recorded(tmp_path / "a.tape", "cpu/syscount", "cpu/runqlat", reason="it took 31%")
    assert code == 1
    assert "ebpftop: cpu/syscount: detached, it took 31%\n" in err
    assert err.count(": detached") == 1


async def test_a_refused_request(tmp_path: Path) -> None:
    code, err, _ = await recorded(tmp_path / "a.tape", "cpu/syscount", "no/such")
    assert code == 2
    assert err.startswith("ebpftop: no probe 'no/such'\n")


async def test_a_disk_that_fills_up_ends_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = TapeWriter.write

    def write(writer: TapeWriter, frame: AnyFrame) -> None:
        if type(frame).__name__ == "Snapshot":
            raise OSError(28, "No space left on device")
        real(writer, frame)

    monkeypatch.setattr(TapeWriter, "write", write)
    code, err, source = await recorded(tmp_path / "a.tape", "cpu/syscount")
    assert code == 1
    assert err.startswith("ebpftop: recording stopped: No space left on device\n")
    assert source.closed
    assert [type(frame).__name__ for frame in on_tape(tmp_path / "a.tape")] == ["Hello", "Processes", "Loaded"]


@pytest.mark.parametrize("change", ["removed", "renamed", "replaced", "with its folder", "by a link"])
@pytest.mark.parametrize("ends", [False, True])
async def test_a_tape_that_is_gone_at_the_end_is_told(tmp_path: Path, change: str, ends: bool) -> None:
    path, err, stop = tmp_path / "folder" / "a.tape", io.StringIO(), asyncio.Event()
    path.parent.mkdir()

    def gone(request: Load) -> Sequence[AnyFrame]:
        path.rename(tmp_path / "b.tape")
        if change == "replaced":
            path.write_text("another's")
        elif change == "by a link":
            path.symlink_to("nowhere")
        elif change == "removed":
            (tmp_path / "b.tape").unlink()
        elif change == "with its folder":
            path.parent.rmdir()
        return on_load(request)

    source = Scripted(gone, [detached(1)], after_load=stop.set, ends=ends)
    loads = [Load(request=1, probe="cpu/syscount")]
    async with asyncio.timeout(10):
        code = await record(source, loads, path, duration=None, args=False, force=False, err=err, stop=stop)
    told = f"ebpftop: {path}: removed, renamed or replaced while it was recorded\n"
    assert (code, err.getvalue()) == (1, ("ebpftop: the collector has ended\n" if ends else "") + told)
    assert source.closed


async def test_marks_from_outside_go_onto_the_tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "run"
    place.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    path, stop, err = tmp_path / "a.tape", asyncio.Event(), io.StringIO()
    source = Scripted(on_load, [detached(1)])
    async with asyncio.timeout(60):
        recording = asyncio.create_task(
            record(
                source,
                [Load(request=1, probe="cpu/syscount")],
                path,
                duration=None,
                args=False,
                force=False,
                err=err,
                stop=stop,
            )
        )
        while not list(place.iterdir()):
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(outside.send, "deploy\n42") == 1
        stop.set()
        assert await recording == 0
    (mark,) = [frame for frame in on_tape(path) if isinstance(frame, Mark)]
    assert (mark.text, mark.origin) == ("deploy 42", "outside")
    assert err.getvalue().startswith(f"ebpftop: {formatting.clock(mark.realtime_ns)}  mark: deploy 42 (by command)\n")
    assert list(place.iterdir()) == []


async def test_what_triggers_find_is_on_the_tape_and_in_the_folder_though_the_source_ends(tmp_path: Path) -> None:
    path, stop, err = tmp_path / "a.tape", asyncio.Event(), io.StringIO()
    first = snapshot(1, 1, {"calls": columns(tgid=[1], nr=["read"], count=[5], last_ns=[0])})
    frames = [
        *(hello(), SECRET, loaded(1, "cpu/syscount", CALLS), first),
        snapshot(1, 2, {"calls": columns(tgid=[1], nr=["read"], count=[500], last_ns=[0])}),
    ]
    recent = Recent(60)
    folder = TapeFolder(tmp_path / "tapes", recent)
    async with asyncio.timeout(60):
        code = await record(
            Scripted(frames, ends=True),
            [Load(request=1, probe="cpu/syscount")],
            path,
            duration=None,
            args=False,
            force=False,
            watching=Watching([parse("syscount rate > 100/s")], recent, folder),
            err=err,
            stop=stop,
        )
    assert code == 1
    (saved,) = (tmp_path / "tapes").iterdir()
    lines = err.getvalue().splitlines()
    assert lines[0].endswith("  mark: syscount rate > 100/s: 495/s (trigger)")
    assert lines[1].startswith(f"ebpftop: saved {saved}: ")
    for tape in (path, saved):
        (mark,) = [frame for frame in on_tape(tape) if isinstance(frame, Mark)]
        assert mark.text == "syscount rate > 100/s: 495/s"
        assert "hunter2" not in repr(on_tape(tape))
