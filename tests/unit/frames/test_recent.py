"""The last minutes in memory, and tapes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from ebpftop.frames import recent as recent_frames
from ebpftop.frames.changes import ChangeWriter
from ebpftop.frames.codec import encode
from ebpftop.frames.messages import AnyFrame, Catalog, Changes, Hello, Loaded, Processes, Snapshot, Stacks, Written
from ebpftop.frames.reading import FrameDecoder
from ebpftop.frames.received import Received
from ebpftop.frames.recent import Copy, Recent
from ebpftop.frames.tape import TapeReader, TapeWriter
from tests.support.frames import (
    CALLS,
    LATENCY,
    SAMPLES,
    catalog,
    columns,
    detached,
    hello,
    loaded,
    mark,
    probe,
    process,
    processes,
    snapshot,
    stacks,
)

SECOND = 1_000_000_000


def over_the_wire(writer: ChangeWriter, reader: FrameDecoder, frames: Iterable[AnyFrame]) -> Iterator[AnyFrame]:
    for frame in frames:
        yield from reader.feed(encode(writer.written(frame)))


class Stream:
    """Frames at made-up times, and what is recent of them."""

    def __init__(self, seconds: float, **options: int) -> None:
        self.now = 0.0
        self.recent = Recent(seconds, clock=lambda: 5000 * SECOND + round(self.now * SECOND), **options)
        self.copies: list[Copy] = []
        self._changes, self._wire = ChangeWriter(), FrameDecoder()

    def take(self, *frames: AnyFrame) -> None:
        for frame in over_the_wire(self._changes, self._wire, frames):
            self.recent.add(frame)
            self.copies = [copy for copy in self.copies if copy.take(frame) or copy.close()]

    def begin(self) -> None:
        self.take(hello(), catalog(probe("cpu/syscount", [CALLS])), processes(process(1, "sh")))
        self.take(loaded(1, "cpu/syscount", CALLS))

    def second(self, rows: int = 3) -> None:
        """One second passes, and a snapshot comes in which one row more was counted."""
        self.now += 1
        seq = round(self.now)
        counts = [seq * (n + 1) for n in range(rows)]
        held = columns(tgid=[1] * rows, nr=[f"call{n}" for n in range(rows)], count=counts, last_ns=[seq] * rows)
        self.take(snapshot(1, seq, {"calls": held}))

    def copy(self, path: Path, seconds: float, after: float | None = None) -> Copy:
        end = None if after is None else self.recent.clock() + round(after * SECOND)
        copy = Copy(self.recent, TapeWriter(path), seconds, end)
        self.copies.append(copy)
        return copy


def on_tape(path: Path) -> list[tuple[float, AnyFrame]]:
    reader = TapeReader(path)
    frames = [(at / SECOND, frame) for at, frame in reader]
    reader.close()
    return frames


def samples(frames: Iterator[tuple[float, AnyFrame]] | list[tuple[float, AnyFrame]]) -> list[Snapshot]:
    return [frame for _, frame in frames if isinstance(frame, Snapshot)]


def test_a_tape_of_the_minute_before_and_the_seconds_after(tmp_path: Path) -> None:
    stream = Stream(60)
    stream.begin()
    for _ in range(300):
        stream.second()
    stream.copy(tmp_path / "a.tape", 60, after=5)
    for _ in range(100):
        stream.second()
    assert stream.copies == []
    frames = on_tape(tmp_path / "a.tape")
    assert [type(frame) for _, frame in frames[:4]] == [Hello, Catalog, Loaded, Processes]
    seqs = [each.seq for each in samples(frames)]
    assert seqs == list(range(seqs[0], 306))
    assert 300 - 70 <= seqs[0] <= 300 - 59
    first = samples(frames)[0]
    assert first.maps["calls"] == columns(
        tgid=[1] * 3, nr=["call0", "call1", "call2"], count=[seqs[0] * n for n in (1, 2, 3)], last_ns=[seqs[0]] * 3
    )
    times = [at for at, frame in frames if isinstance(frame, Snapshot)]
    assert times == [seq - seqs[0] for seq in seqs]


def test_what_is_copied_equals_what_came(tmp_path: Path) -> None:
    """Rows are born and die, runs begin and end, marks are set while it is copied."""
    stream = Stream(30)
    stream.begin()
    sent: list[AnyFrame] = []
    for second in range(60):
        stream.now += 1
        frames: list[AnyFrame] = [
            snapshot(1, second, {"calls": columns(tgid=[1], nr=[f"c{second % 7}"], count=[second], last_ns=[0])})
        ]
        if second == 45:
            frames += [loaded(2, "cpu/runqlat", LATENCY), mark("deploy", second)]
        if second > 45:
            frames.append(snapshot(2, second, {"latency": columns(tgid=[1], slot=[second], count=[1])}))
        if second == 57:
            frames.append(detached(2))
        sent += frames
        if second == 50:
            copy = stream.copy(tmp_path / "a.tape", 30)
        stream.take(*frames)
    copy.close()
    got = [frame for _, frame in on_tape(tmp_path / "a.tape")]
    assert got[:2] == [hello(), known_probes()]
    first = next(at for at, frame in enumerate(got) if isinstance(frame, Snapshot))
    begin = sent.index(got[first])
    assert begin <= 21
    assert got[first:] == sent[begin:]


def known_probes() -> AnyFrame:
    return catalog(probe("cpu/syscount", [CALLS]))


def test_from_now_on_begins_with_what_a_reader_must_know(tmp_path: Path) -> None:
    stream = Stream(60)
    stream.begin()
    stream.take(stacks({10: ["main", "read"]}), loaded(2, "cpu/profile", SAMPLES))
    for _ in range(25):
        stream.second()
    copy = stream.copy(tmp_path / "a.tape", 0)
    for _ in range(3):
        stream.second()
    copy.close()
    frames = on_tape(tmp_path / "a.tape")
    assert [each.seq for each in samples(frames)] == [26, 27, 28]
    heads = [type(frame) for _, frame in frames]
    assert heads[:7] == [Hello, Catalog, Loaded, Loaded, Processes, Stacks, Stacks]
    assert frames[-1][0] == 3.0


@pytest.mark.parametrize("rows", [3, 20_000])
def test_memory_is_bounded_by_bytes_where_much_comes(rows: int) -> None:
    stream = Stream(600, limit=1 << 20)
    stream.begin()
    most = 0
    for _ in range(100):
        stream.second(rows)
        most = max(most, stream.recent.bytes)
    assert stream.recent.bytes == sum(segment.bytes for segment in stream.recent._segments)
    if rows == 3:
        assert stream.recent.kept == 100.0
        assert most < 1 << 16
    else:
        assert 5 <= stream.recent.kept < 100
        assert most <= (1 << 20) + 20_000 * 60


def test_a_new_stream_forgets_the_old_one(tmp_path: Path) -> None:
    stream = Stream(60)
    stream.begin()
    for _ in range(30):
        stream.second()
    stream.begin()
    stream.second()
    copy = stream.copy(tmp_path / "a.tape", 60)
    copy.close()
    assert [each.seq for each in samples(on_tape(tmp_path / "a.tape"))] == [31]


def test_nothing_is_kept_before_the_stream_begins() -> None:
    stream = Stream(60)
    stream.take(processes(process(1, "sh")))
    assert stream.recent.bytes == 0
    assert stream.recent.frames(60) is None
    assert stream.recent.kept == 0.0


def test_a_copy_that_began_before_the_stream_has_all_of_it(tmp_path: Path) -> None:
    stream = Stream(60)
    copy = stream.copy(tmp_path / "a.tape", 60)
    stream.take(processes(process(2, "early")))
    stream.begin()
    stream.second()
    copy.close()
    frames = [frame for _, frame in on_tape(tmp_path / "a.tape")]
    assert [type(frame) for frame in frames[:-1]] == [Hello, Catalog, Processes, Loaded]
    assert isinstance(frames[-1], Snapshot)


@pytest.mark.parametrize("behind", [True, False])
def test_a_copy_goes_on_where_a_stream_begins_anew(tmp_path: Path, behind: bool) -> None:
    """Also one that is still at work on what came before."""
    stream = Stream(60)
    stream.begin()
    for _ in range(25):
        stream.second()
    copy = stream.copy(tmp_path / "a.tape", 60)
    if behind:
        stream.copies = []
    stream.begin()
    stream.second()
    copy.close()
    frames = [frame for _, frame in on_tape(tmp_path / "a.tape")]
    assert [type(frame) for frame in frames].count(Hello) == 2
    again = len(frames) - 1 - [type(frame) for frame in reversed(frames)].index(Hello)
    assert [type(frame) for frame in frames[again:-1]] == [Hello, Catalog, Processes, Loaded]
    assert isinstance(frames[-1], Snapshot)
    assert [each.seq for each in samples([(0, frame) for frame in frames])] == list(range(1, 27))


@pytest.mark.parametrize("caught_up", [True, False])
def test_two_frames_that_were_added_at_once_are_copied_once_each(tmp_path: Path, caught_up: bool) -> None:
    stream = Stream(60)
    stream.begin()
    copy = stream.copy(tmp_path / "a.tape", 60)
    for _ in range(8 if caught_up else 0):
        stream.second()
    both = [mark("one", 1), mark("two", 1)]
    for frame in both:
        stream.recent.add(frame)
    for frame in both:
        copy.take(frame)
    copy.close()
    assert [frame for _, frame in on_tape(tmp_path / "a.tape")][-2:] == both


def test_what_came_as_changes_is_kept_without_comparing_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = [hello(), loaded(1, "cpu/syscount", CALLS)]
    for seq in range(1, 36):
        rows = {"tgid": list(range(seq, seq + 9)), "nr": [f"c{seq % 3}"] * 9, "count": [seq] * 9, "last_ns": [0] * 9}
        sent.append(snapshot(1, seq, {"calls": columns(**rows)}))
    frames = list(over_the_wire(ChangeWriter(), FrameDecoder(), sent))
    monkeypatch.setattr(ChangeWriter, "written", lambda *_: pytest.fail("changes were made of what came as changes"))
    now = iter(range(100))
    recent = Recent(60, clock=lambda: next(now) * SECOND)
    monkeypatch.setattr(
        recent_frames, "_encode", lambda frame, encode=recent_frames._encode: kept.append(frame) or encode(frame)
    )
    kept: list[Written] = []
    for frame in frames:
        recent.add(frame)
    changes = [frame for frame in kept if isinstance(frame, Changes)]
    came = [frame.came for frame in frames if isinstance(frame, Received)]
    assert [each.seq for each in changes if each.key] == [1, 9, 19, 29]  # one begins a segment
    assert [each for each in changes if not each.key] == [each for each in came if each.seq not in (1, 9, 19, 29)]
    copied = [frame for _, frame in recent.frames(60) or () if isinstance(frame, Snapshot)]
    assert copied == sent[2:]
