import asyncio
from pathlib import Path

import pytest

from ebpftop.frames.messages import AnyFrame, Host, Load, Notice, Processes, Snapshot
from ebpftop.frames.recording import Recording
from ebpftop.frames.source import ReadOnly, Source, SourceEnded
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.frames.tape_format import BadTape
from ebpftop.frames.tape_source import TapeSource
from tests.support.frames import (
    CALLS,
    SECOND,
    catalog,
    columns,
    detached,
    events,
    hello,
    loaded,
    probe,
    process,
    processes,
    snapshot,
)


class Clock:
    """A second a call."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += SECOND
        return self.now


def shot(run: int, seq: int) -> Snapshot:
    return snapshot(run, seq, {"calls": columns(tgid=[1], nr=["read"], count=[seq], last_ns=[0])})


# One frame a second, the first at 0.
STORY: list[AnyFrame] = [
    hello(),
    catalog(probe("cpu/syscount", [CALLS])),
    processes(process(1, "sh")),
    loaded(1, "cpu/syscount", CALLS),  # 3
    shot(1, 0),
    shot(1, 1),
    loaded(2, "cpu/other", CALLS),  # 6
    shot(2, 0),
    processes(process(1, "bash"), process(2, "make")),  # 8
    detached(1),
    shot(2, 1),  # 10
]


def taped(path: Path, frames: list[AnyFrame] = STORY) -> Path:
    with TapeWriter(path, clock=Clock()) as writer:
        for frame in frames:
            writer.write(frame)
    return path


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return taped(tmp_path / "a.tape")


async def rest(source: Source) -> list[AnyFrame]:
    return [frame async for frame in source.frames()]


def without_commands(frames: list[AnyFrame]) -> list[AnyFrame]:
    return [
        Processes(processes=[process(p.id, p.comm, command="") for p in f.processes]) if isinstance(f, Processes) else f
        for f in frames
    ]


TOLD = [hello(live=False), *without_commands(STORY)[1:]]


async def test_a_tape_plays_to_its_end_and_is_not_live(tape: Path) -> None:
    source = TapeSource(tape, speed=1e6)
    assert (source.live, source.can_restart, source.duration, source.position) == (False, False, 10.0, 0.0)
    assert await rest(source) == TOLD
    assert source.position == 10.0
    assert await rest(source) == []


async def test_a_tape_grants_no_requests(tape: Path) -> None:
    source = TapeSource(tape)
    with pytest.raises(ReadOnly):
        await source.request(Load(request=1, probe="x"))
    with pytest.raises(ReadOnly):
        await source.restart()
    await source.close()


async def test_seeking_tells_the_state_of_that_moment_and_goes_on(tape: Path) -> None:
    source = TapeSource(tape, speed=1e6)
    source.seek(8.5)
    assert source.position == 8.5
    assert await rest(source) == [
        TOLD[0],
        TOLD[1],
        processes(process(1, "bash", command=""), process(2, "make", command="")),
        *TOLD[3:8],
        *TOLD[9:],
    ]


async def test_while_the_state_comes_it_is_said_that_there_is_more(tape: Path) -> None:
    source = TapeSource(tape, paused=True)
    source.seek(8.5)
    stream = source.frames()
    more = []
    for _ in range(8):
        await anext(stream)
        more.append(source.jumping)
    assert more == [True] * 7 + [False]


async def test_seeking_back_after_the_end(tape: Path) -> None:
    source = TapeSource(tape, speed=1e6)
    await rest(source)
    source.seek(-5)
    assert source.position == 0.0
    assert await rest(source) == TOLD
    source.seek(1000)
    assert source.position == 10.0
    frames = await rest(source)
    assert frames[0] == TOLD[0]
    assert frames[-1] == TOLD[-1]
    assert detached(1) in frames


async def test_a_paused_tape_shows_its_first_frame_and_waits(tape: Path) -> None:
    source = TapeSource(tape, speed=1e6, paused=True)
    stream = source.frames()
    assert await anext(stream) == TOLD[0]
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    assert source.position == 0.0
    source.paused = False
    assert await waiting == TOLD[1]


async def test_speed_is_positive(tape: Path) -> None:
    source = TapeSource(tape)
    for speed in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="is not a valid speed"):
            source.speed = speed
    source.speed = 1e6
    assert await rest(source) == TOLD


async def test_what_is_left_of_a_damaged_tape_is_told_before_the_line_that_says_so(tape: Path) -> None:
    tape.write_bytes(tape.read_bytes()[:-24])
    source = TapeSource(tape, speed=1e6)
    frames = source.frames()
    assert [await anext(frames) for _ in TOLD] == TOLD
    with pytest.raises(SourceEnded, match=r"is truncated after 10\.0 s"):
        await anext(frames)
    source.seek(10)
    with pytest.raises(SourceEnded, match="is truncated"):
        await rest(source)


async def test_what_is_no_tape_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(BadTape, match="is empty"):
        TapeSource(tmp_path / "x")


async def test_after_a_seek_only_the_last_two_snapshots_come_again(tmp_path: Path) -> None:
    """The last two make an interval; what was before is in the past of the whole tape."""
    frames = [hello(), loaded(1, "cpu/syscount", CALLS), *(shot(1, seq) for seq in range(100)), detached(1)]
    source = TapeSource(taped(tmp_path / "a.tape", frames), speed=1e6)
    assert [*source.whole()] == frames
    source.seek(200)
    told = await rest(source)
    assert told == [hello(live=False), frames[1], shot(1, 98), shot(1, 99), detached(1)]
    assert [*source.whole()] == frames


# ---------------------------------------------------------------- recording


class Scripted(Source):
    """Frames given by the test, each after the one before was taken."""

    def __init__(self, frames: list[AnyFrame]) -> None:
        self.script = frames
        self.requests: list[object] = []
        self.closed = False

    async def frames(self):
        for frame in self.script:
            yield frame

    async def request(self, request: object) -> None:
        self.requests.append(request)

    async def close(self) -> None:
        self.closed = True


def on_tape(path: Path) -> list[AnyFrame]:
    return [frame for _, frame in TapeReader(path)]


async def test_recording_passes_everything_on_and_keeps_it(tmp_path: Path) -> None:
    inner = Scripted(STORY)
    source = Recording(inner, TapeWriter(tmp_path / "a.tape"))
    assert source.live
    assert await rest(source) == STORY
    await source.request(Load(request=1, probe="x"))
    await source.close()
    assert (inner.requests, inner.closed) == ([Load(request=1, probe="x")], True)
    assert on_tape(tmp_path / "a.tape") == without_commands(STORY)


async def test_a_tape_that_cannot_be_written_ends_with_a_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = TapeWriter(tmp_path / "a.tape")

    def full(frame: AnyFrame) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "write", full)
    source = Recording(Scripted([hello(), detached(1)]), writer)
    assert await rest(source) == [
        Notice(level="error", text="recording stopped: No space left on device"),
        hello(),
        detached(1),
    ]
    assert source.writer is None


async def test_what_the_disk_refuses_between_two_frames_is_told_at_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks are mostly written by the flush of every second, so that is where a full disk shows."""
    refused = asyncio.Event()

    class Slow(Scripted):
        async def frames(self):
            yield hello()
            await refused.wait()
            yield detached(1)

    def full() -> None:
        refused.set()
        raise OSError(28, "No space left on device")

    writer = TapeWriter(tmp_path / "a.tape")
    source = Recording(Slow([]), writer)
    monkeypatch.setattr(writer, "flush", full)
    assert await rest(source) == [
        hello(),
        Notice(level="error", text="recording stopped: No space left on device"),
        detached(1),
    ]
    assert source.writer is None


async def test_hosts_and_events_are_told_again(tmp_path: Path) -> None:
    host = Host(realtime_ns=1, cpu_percent=1, memory_percent=2, load=3)
    drained = events(1, "events", columns(tgid=[1]))
    frames = [hello(), loaded(1, "cpu/execsnoop"), host, drained, Notice(level="info", text="once")]
    source = TapeSource(taped(tmp_path / "a.tape", frames), speed=1e6)
    source.seek(4)
    assert await rest(source) == [hello(live=False), *frames[1:4]]
