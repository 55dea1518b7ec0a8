"""Tapes of incidents: each with its minute before, in bounded memory and a bounded folder."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebpftop.frames.messages import AnyFrame, Mark, Notice, Snapshot
from ebpftop.frames.recent import Recent
from ebpftop.frames.tape import TapeReader
from ebpftop.model.session import Session
from ebpftop.model.tape_folder import TapeFolder
from ebpftop.model.trigger import parse
from ebpftop.model.watching import Watching
from ebpftop.stats.slots import slot_of
from tests.support.frames import LATENCY, columns, hello, loaded, mark, process, processes, snapshot

SECOND = 1_000_000_000
SLOW, FAST = slot_of(40_000_000), slot_of(1_000_000)
ROWS = 40


class Emulated:
    """Frames with made-up times: runqlat, one snapshot a second, which is slow in the given seconds."""

    def __init__(self, folder: Path, slow: set[int], **options: int) -> None:
        self.now = 0
        self.session = Session(history=2, event_rows=1, past_bytes=0)
        recent = Recent(60, clock=lambda: 9000 * SECOND + self.now * SECOND)
        self.folder = TapeFolder(folder, recent, **options)
        self.watching = Watching([parse("runqlat p99 > 20ms for 3s")], recent, self.folder)
        self.told: list[Mark | Notice] = []
        self._slow = slow
        self._counts = dict.fromkeys([(n, FAST) for n in range(ROWS)] + [(1, SLOW)], 0)
        self.take(hello(), processes(process(1, "nginx")), loaded(1, "cpu/runqlat", LATENCY))

    def take(self, *frames: AnyFrame) -> None:
        for frame in frames:
            run = self.session.feed(frame)
            self.told += self.watching.take(frame, run, self.session.processes)

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            for n in range(ROWS):
                self._counts[n, FAST] += (n + self.now) % 4 == 0
            self._counts[1, SLOW] += 1000 * (self.now in self._slow)
            keys = [*self._counts]
            held = columns(tgid=[key[0] for key in keys], slot=[key[1] for key in keys], count=[*self._counts.values()])
            self.take(snapshot(1, self.now, {"latency": held}))

    @property
    def fired(self) -> list[int]:
        return [each.monotonic_ns // SECOND - 1000 for each in self.told if isinstance(each, Mark)]


def tapes(folder: Path) -> list[Path]:
    """Oldest first."""
    return sorted(folder.iterdir())


def read(path: Path) -> list[AnyFrame]:
    reader = TapeReader(path)
    frames = [frame for _, frame in reader]
    assert reader.problem == ""
    reader.close()
    return frames


def seconds_of(frames: list[AnyFrame]) -> list[int]:
    return [frame.seq for frame in frames if isinstance(frame, Snapshot)]


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_an_hour_with_three_incidents_leaves_three_tapes(tmp_path: Path, traced: None) -> None:
    """Each with its minute before and the seconds after; memory stays where it was after ten minutes."""
    incidents = (700, 1800, 3000)
    on = Emulated(tmp_path / "tapes", {at + n for at in incidents for n in range(8)})
    on.run(600)
    before = tracemalloc.get_traced_memory()[0]
    on.run(3000)
    after = tracemalloc.get_traced_memory()[0]
    assert on.fired == [at + 2 for at in incidents]
    assert len(tapes(tmp_path / "tapes")) == 3
    for path, at in zip(tapes(tmp_path / "tapes"), incidents, strict=True):
        frames = read(path)
        seconds = seconds_of(frames)
        assert seconds == list(range(seconds[0], at + 2 + 10 + 1))
        assert at + 2 - 71 <= seconds[0] <= at + 2 - 60
        (fired,) = [frame for frame in frames if isinstance(frame, Mark)]
        assert (fired.text, fired.origin) == ("runqlat p99 > 20ms for 3s: 38–42 ms", "trigger")
        assert fired.monotonic_ns == (1000 + at + 2) * SECOND
        assert path.stat().st_mode & 0o777 == 0o600
    saved = [each.text for each in on.told if isinstance(each, Notice)]
    assert [text.split(": ")[0] for text in saved] == [f"saved {path}" for path in tapes(tmp_path / "tapes")]
    assert on.folder.recent.bytes < 1 << 20
    assert after - before < 1 << 20


def test_only_so_many_tapes_stay_and_other_files_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "tapes"
    folder.mkdir()
    for name in ("mine.tape", "when-20200101-000000-x.tape", "when-20200101-000001-x.tape.gz"):
        (folder / name).write_text("")
    (folder / "when-20200101-000002-link.tape").symlink_to(tmp_path)
    on = Emulated(folder, {at + n for at in range(100, 600, 100) for n in range(5)}, tapes=2)
    on.run(600)
    assert on.fired == [102, 202, 302, 402, 502]
    names = [path.name for path in tapes(folder)]
    assert [name for name in names if name.startswith("when-2020") or name == "mine.tape"] == [
        "mine.tape",
        "when-20200101-000001-x.tape.gz",
        "when-20200101-000002-link.tape",
    ]
    kept = [path for path in tapes(folder) if path.name.startswith("when-2023")]
    assert [max(seconds_of(read(path))) for path in kept] == [412, 512]


def test_only_so_many_bytes_stay(tmp_path: Path) -> None:
    folder = tmp_path / "tapes"
    on = Emulated(folder, {at + n for at in (100, 300) for n in range(5)}, most=1 << 30)
    on.run(400)
    sizes = [path.stat().st_size for path in tapes(folder)]
    assert len(sizes) == 2
    few = Emulated(folder, {103, 104, 105, 106}, most=sizes[0] + sizes[1] - 1)
    few.run(200)
    assert sum(path.stat().st_size for path in tapes(folder)) < sizes[0] + sizes[1]
    tight = Emulated(folder, {103, 104, 105, 106}, most=2000)
    tight.run(200)
    (last,) = tapes(folder)
    assert seconds_of(read(last))[0] <= 46
    assert "stopped at the limit of 1.95 KiB" in str(tight.told)


def test_incidents_that_follow_each_other_share_a_tape(tmp_path: Path) -> None:
    on = Emulated(tmp_path / "tapes", set())
    on.run(100)
    on.folder.save(mark("one", 100), "cpu/runqlat")
    on.run(5)
    on.folder.save(mark("two", 105), "cpu/runqlat")
    on.run(50)
    (path,) = tapes(tmp_path / "tapes")
    assert max(seconds_of(read(path))) == 115
    on.folder.save(mark("three", 155), "cpu/runqlat")
    for _ in range(40):
        on.run(5)
        on.folder.save(mark("again", 160), "cpu/runqlat")
    first = tapes(tmp_path / "tapes")[1]
    assert max(seconds_of(read(first))) == 155 + 110


def test_a_full_disk_ends_the_tape_readably_and_watching_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tapes"
    on = Emulated(folder, {at + n for at in (100, 200) for n in range(5)})
    on.run(104)
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    on.run(60)
    monkeypatch.setattr(os, "write", write)
    on.run(100)
    first, second = tapes(folder)
    assert next(each.text for each in on.told if isinstance(each, Notice)) == (
        f"{first} is incomplete: No space left on device"
    )
    reader = TapeReader(first)
    assert "truncated" in reader.problem
    reader.close()
    assert max(seconds_of(read(second))) == 212


def test_a_tape_that_was_renamed_meanwhile_is_not_called_incomplete(tmp_path: Path) -> None:
    folder, other = tmp_path / "tapes", tmp_path / "other.tape"
    on = Emulated(folder, set(range(100, 105)))
    on.run(104)
    (path,) = tapes(folder)
    path.rename(other)
    on.run(100)
    told = [each.text for each in on.told if isinstance(each, Notice)]
    assert told == [f"{path} was removed, renamed or replaced while it was recorded"]
    reader = TapeReader(other)
    assert reader.problem == ""
    reader.close()


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        TapeFolder(tmp_path / "file", Recent(60))
    with pytest.raises(FileNotFoundError):
        TapeFolder(tmp_path / "no" / "such", Recent(60))
