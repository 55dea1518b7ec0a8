import asyncio
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from ebpftop.export.recorder import record
from ebpftop.frames.messages import AnyFrame, Detach, Load, Refused
from ebpftop.frames.tape import TapeReader, TapeWriter
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


async def recorded(path: Path, *probes: str, force: bool = False, args: bool = False) -> tuple[int, str, Scripted]:
    stop = asyncio.Event()
    waiting = iter(probes[1:])

    def answered() -> None:
        if next(waiting, None) is None:
            stop.set()

    last = snapshot(1, 1, {"calls": columns(tgid=[1], nr=["read"], count=[5], last_ns=[0])})
    source = Scripted(on_load, [last, detached(1), detached(2)], after_load=answered)
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
    assert [type(frame).__name__ for frame in frames[1:]] == [
        *("Processes", "Loaded", "Snapshot", "Loaded", "Snapshot"),
        *("Snapshot", "Detached", "Detached"),
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
    assert rejected(3, "lab/null-deref", request=2) in on_tape(path)
    assert on_tape(path)[-1] == detached(1)


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
