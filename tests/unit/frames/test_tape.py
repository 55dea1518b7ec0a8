import errno
import fcntl
import os
import shutil
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ebpftop.frames import tape, tape_format
from ebpftop.frames.messages import AnyFrame, Catalog, Column, Events, Hello, Notice, Processes, Snapshot
from ebpftop.frames.tape import TapeExists, TapeReader, TapeWriter
from ebpftop.frames.tape_format import MAGIC, BadTape
from tests.support.disks import files_of_at_most
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

FRAMES: list[AnyFrame] = [
    hello(),
    catalog(probe("cpu/syscount", [CALLS])),
    loaded(1, "cpu/syscount", CALLS),
    *(
        snapshot(1, n, {"calls": columns(tgid=[1, 2], nr=["read", "open"], count=[n, 3 * n], last_ns=[0, n])})
        for n in range(5)
    ),
    detached(1),
]

SHORT = [FRAMES[0], *FRAMES[2:5], FRAMES[-1]]


class Clock:
    """Half a second a call."""

    def __init__(self) -> None:
        self.now = 5 * SECOND

    def __call__(self) -> int:
        self.now += SECOND // 2
        return self.now


def written(path: Path, frames: list[AnyFrame] = FRAMES, **options: bool) -> Path:
    with TapeWriter(path, clock=Clock(), **options) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def read(path: Path) -> tuple[list[AnyFrame], str]:
    """The frames that could be read, and the problem."""
    frames: list[AnyFrame] = []
    try:
        with closing(TapeReader(path)) as reader:
            for _, frame in reader:
                frames.append(frame)
    except BadTape as error:
        return frames, str(error)
    return frames, ""


def test_frames_come_back_with_their_times(tmp_path: Path) -> None:
    reader = TapeReader(written(tmp_path / "a.tape"))
    assert list(reader) == [(n * SECOND // 2, frame) for n, frame in enumerate(FRAMES)]
    assert list(reader) == list(reader)
    assert reader.duration == (len(FRAMES) - 1) / 2
    assert reader.problem == ""


def test_only_its_owner_may_read_a_tape_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        assert written(tmp_path / "a.tape").stat().st_mode & 0o777 == 0o600
        os.umask(0o777)
        assert written(tmp_path / "b.tape").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(old)


def test_an_existing_file_stays_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    path.write_text("mine")
    path.chmod(0o644)
    with pytest.raises(TapeExists, match=r"a\.tape exists; --force overwrites it$"):
        TapeWriter(path)
    assert path.read_text() == "mine"
    assert read(written(path, force=True)) == (FRAMES, "")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_tape_that_is_being_written_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    with TapeWriter(path) as first:
        first.write(hello())
        with pytest.raises(TapeExists, match="is being recorded by another ebpftop"):
            TapeWriter(path, force=True)
        first.write(hello(host="second"))
    assert [frame.host for _, frame in TapeReader(path) if isinstance(frame, Hello)] == ["web-03", "second"]
    TapeWriter(path, force=True).close()


@pytest.mark.parametrize("force", [False, True])
def test_links_and_pipes_are_never_written_to(tmp_path: Path, force: bool) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to("target")
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    for name in ("link", "pipe"):
        with pytest.raises(TapeExists):
            TapeWriter(tmp_path / name, force=force)
    assert (tmp_path / "target").read_text() == "mine"
    os.close(reading)


def test_command_lines_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    secret = "curl --password hunter2"
    told = [
        hello(),
        processes(process(1, "curl", command=secret)),
        events(1, "events", columns(tgid=[1, 1], args=[secret, "x"], errno=["", ""])),
        snapshot(1, 0, {"m": columns(argv=[secret], count=[1])}),
    ]
    frames, _ = read(written(tmp_path / "plain.tape", told))
    assert "hunter2" not in repr(frames)
    assert isinstance(frames[1], Processes)
    assert (frames[1].processes[0].comm, frames[1].processes[0].command) == ("curl", "")
    assert isinstance(frames[2], Events)
    assert frames[2].columns["args"].labels == [""]
    assert frames[2].columns["tgid"] == told[2].columns["tgid"]
    assert read(written(tmp_path / "args.tape", told, args=True)) == (told, "")


def test_a_writer_that_was_killed_leaves_all_but_the_last_second(tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path / "a.tape", clock=Clock())
    for frame in FRAMES:
        writer.write(frame)
    frames, problem = read(shutil.copy(tmp_path / "a.tape", tmp_path / "killed.tape"))
    assert frames == FRAMES[: len(frames)]
    assert len(FRAMES) - len(frames) <= 2
    assert "is truncated after" in problem
    writer.flush()
    frames, problem = read(shutil.copy(tmp_path / "a.tape", tmp_path / "killed.tape"))
    assert (frames, "is truncated after 4.0 s" in problem) == (FRAMES, True)
    writer.close()
    writer.close()
    assert read(tmp_path / "a.tape") == (FRAMES, "")


def test_a_tape_that_is_still_being_recorded_is_not_called_truncated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = TapeWriter(tmp_path / "a.tape", clock=Clock())
    for frame in FRAMES:
        writer.write(frame)
    writer.flush()
    told = "is still being recorded: 4.0 s of it can be read so far"
    assert told in read(tmp_path / "a.tape")[1]
    monkeypatch.setattr(fcntl, "flock", without_locks)
    assert "is truncated after 4.0 s" in read(tmp_path / "a.tape")[1]
    reader = TapeReader(tmp_path / "a.tape")
    with (tmp_path / "a.tape").open("ab") as file:
        file.write(b"more")
    with pytest.raises(BadTape, match=told):
        list(reader)
    reader.close()


def without_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def test_a_tape_cut_at_any_byte_yields_what_is_whole_and_one_line(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.tape", SHORT).read_bytes()
    part = tmp_path / "part.tape"
    counts = []
    for length in range(len(whole)):
        part.write_bytes(whole[:length])
        frames, problem = read(part)
        assert frames == SHORT[: len(frames)]
        assert problem.startswith(str(part)), length
        assert "\n" not in problem
        counts.append(len(frames))
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == len(SHORT)
    assert set(counts) == set(range(len(SHORT) + 1))  # also within a block


def tag(frame: AnyFrame) -> object:
    return frame.__struct_config__.tag


def test_a_tape_with_any_byte_changed_yields_only_true_frames_or_one_line(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.tape", SHORT).read_bytes()
    index = TapeReader(tmp_path / "a.tape").blocks.last.end  # one that is damaged is made again
    part = tmp_path / "part.tape"
    told = 0
    for at in range(len(whole)):
        part.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        frames, problem = read(part)
        assert "\n" not in problem
        told += bool(problem) and at < index
        if not problem:
            assert [tag(frame) for frame in frames] == [tag(frame) for frame in SHORT]
    assert told > 0.95 * index  # only times in headers can change unseen


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 something else", "is not an ebpftop tape"),
        (b"ebpftop", "is truncated in its header"),
        (
            MAGIC + struct.pack("<I", 3) + b"whatever",
            r"by a newer ebpftop \(tape format 3; this one reads 2\)",
        ),
        (MAGIC + struct.pack("<I", 0), "has the invalid tape format 0"),
        (MAGIC + struct.pack("<I", 1), "is truncated after 0.0 s"),
        (MAGIC + struct.pack("<I", 1) + bytes(24), "contains no frames"),
    ],
)
def test_what_is_no_tape_is_said_in_one_line(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(BadTape, match=says):
        TapeReader(tmp_path / "x")


def test_a_name_with_control_characters_is_shown_inert(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m").write_bytes(b"")
    with pytest.raises(BadTape, match=r"a\\x1b\[31m is empty"):
        TapeReader(tmp_path / "a\x1b[31m")


def test_a_folder_is_no_tape(tmp_path: Path) -> None:
    with pytest.raises(BadTape, match="is not a regular file"):
        TapeReader(tmp_path)


def test_a_newer_protocol_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tape", [hello(protocol=99)])
    with pytest.raises(BadTape, match=r"newer ebpftop \(protocol 99"):
        TapeReader(path)


def test_a_tape_begins_with_a_hello(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tape", [catalog()])
    with pytest.raises(BadTape, match="does not begin with a Hello frame"):
        TapeReader(path)


def made(path: Path, *blocks: bytes) -> Path:
    path.write_bytes(MAGIC + struct.pack("<I", 1) + b"".join(blocks) + bytes(24))
    return path


def block(data: bytes, claims: int | None = None, first: int = 0, last: int = 0, rest: int = 0) -> bytes:
    """rest: bytes stored behind the stream."""
    packed = zlib.compress(data, 9) + bytes(rest)
    return struct.pack("<IIQQ", len(packed), len(data) if claims is None else claims, first, last) + packed


def record(body: bytes, at: int = 0) -> bytes:
    return struct.pack("<QI", at, len(body)) + body


GREETING = record(msgspec.msgpack.encode(hello()))


@pytest.mark.parametrize(
    "bad",
    [
        block(bytes(30_000_000), claims=(1 << 32) - 1),  # more than a block may hold
        block(bytes(30_000_000), claims=1000),  # more than it claims
        block(GREETING, claims=len(GREETING) + 1),  # less than it claims
        block(struct.pack("<QI", 0, 1 << 31) + bytes(100)),  # a record beyond its block
        block(record(b"\xff\xff")),  # no message
        block(record(msgspec.msgpack.encode({"kind": "load", "probe": "x"}))),  # a request
        block(record(b"\xdd\xff\xff\xff\xff" + bytes(1000))),  # a list of four billion
        block(GREETING + b"\0"),  # a rest
        block(GREETING, first=1 << 62, last=1 << 62),  # later than a tape can be
        block(GREETING, rest=1),
        block(GREETING, rest=30_000_000),  # more than its content can need
    ],
)
def test_hostile_blocks_cost_little_and_are_told(tmp_path: Path, bad: bytes) -> None:
    path = made(tmp_path / "a.tape", block(GREETING), bad)
    tracemalloc.start()
    frames, problem = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert frames[0] == hello()
    assert "is damaged after 0.0 s" in problem
    assert peak < 4_000_000


def test_time_never_runs_backwards(tmp_path: Path) -> None:
    data = record(msgspec.msgpack.encode(hello()), at=5) + record(msgspec.msgpack.encode(hello()), at=4)
    assert "is damaged" in read(made(tmp_path / "a.tape", block(data, last=9)))[1]
    blocks = (block(GREETING, first=5, last=6), block(GREETING, first=4, last=9))
    assert "is damaged" in read(made(tmp_path / "b.tape", *blocks))[1]


def test_a_frame_too_large_is_replaced_by_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_format, "FRAME_LIMIT", 1000)
    frames, problem = read(written(tmp_path / "a.tape", [hello(), hello(host="x" * 2000)]))
    assert problem == ""
    assert isinstance(frames[0], Hello)
    assert isinstance(frames[1], Notice)
    assert frames[1].text.startswith("this tape omits a hello frame of 2,")


def test_a_tape_unpacks_to_no_more_than_its_size_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_format, "FREE", 10_000)
    zeros = record(msgspec.msgpack.encode(Notice(level="info", text=" " * 9_000)))
    frames, problem = read(made(tmp_path / "a.tape", block(GREETING), *[block(zeros)] * 3))
    assert (len(frames), problem) == (
        2,
        f"{tmp_path}/a.tape unpacks to more than a tape of its size holds, after 0.0 s",
    )


def test_what_is_written_can_be_read_however_well_it_packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_format, "FREE", 10_000)
    zeros: list[AnyFrame] = [Notice(level="info", text=" " * 9_000)] * 40
    path = written(tmp_path / "a.tape", [hello(), *zeros])
    assert read(path) == ([hello(), *zeros], "")
    assert 360_000 / 16 - 10_000 < path.stat().st_size < 360_000 / 16 + 20_000


def test_of_a_large_frame_only_numbers_may_be_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays bytes costs no objects; what becomes objects is bounded, and replaced by a line when it is written."""
    monkeypatch.setattr(tape_format, "PLAIN_LIMIT", 5_000)
    numbers = events(1, "events", columns(count=list(range(2_000))))
    labels = snapshot(1, 0, {"m": columns(name=[str(n) for n in range(2_000)])})
    frames, problem = read(written(tmp_path / "a.tape", [hello(), numbers, labels]))
    assert (frames[:2], problem) == ([hello(), numbers], "")
    assert isinstance(frames[2], Notice)
    assert frames[2].text.startswith("this tape omits a snapshot")
    body = record(msgspec.msgpack.encode(labels))
    frames, problem = read(made(tmp_path / "b.tape", block(GREETING + body)))
    assert (frames, problem) == ([hello()], f"{tmp_path}/b.tape holds too large a frame after 0.0 s")


def test_memory_that_is_not_there_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.tape")
    real = tape.written()

    def decode(body: memoryview) -> AnyFrame:
        if b"detached" in bytes(body):
            raise MemoryError
        return real(body)

    monkeypatch.setattr(tape, "written", lambda: decode)
    assert read(path) == (FRAMES[:-1], f"{path} needs more memory than available after 4.0 s")


@pytest.mark.parametrize("force", [False, True])
def test_a_tape_that_can_not_be_begun_is_not_there(tmp_path: Path, force: bool) -> None:
    before = os.listdir("/proc/self/fd")
    with files_of_at_most(3), pytest.raises(OSError, match="File too large"):
        TapeWriter(tmp_path / "a.tape", force=force)
    assert not [*tmp_path.iterdir()]
    assert os.listdir("/proc/self/fd") == before


def test_a_full_disk_leaves_whole_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tape"
    writer = TapeWriter(path, clock=Clock())
    writer.write(hello())
    writer.flush()
    size = path.stat().st_size
    answers: Iterator[int] = iter([7])
    real = os.write

    def full(fd: int, data: memoryview) -> int:
        for count in answers:
            return real(fd, data[:count])
        raise OSError(28, "No space left on device")

    writer.write(detached(1))
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        writer.flush()
    monkeypatch.undo()
    assert path.stat().st_size == size
    writer.close()
    assert read(path) == ([hello()], "")


@pytest.mark.parametrize("args", [False, True])
def test_a_tape_does_not_hold_where_files_lay(tmp_path: Path, args: bool) -> None:
    mine = msgspec.structs.replace(probe("mine/calls", [CALLS]), file="/home/ann/calls/probe.bpf.c", revision="1f")
    told = Catalog(probes=[mine], problems=["/home/ann/other/probe.toml:1: titel: unknown key"])
    path = written(tmp_path / "tape", [hello(), told], args=args)
    _, kept = [frame for _, frame in TapeReader(path)]
    assert kept == Catalog(probes=[msgspec.structs.replace(mine, file="")])


def test_a_tape_of_format_1_which_holds_whole_snapshots_reads_like_one_of_today(tmp_path: Path) -> None:
    column = Column(dtype="<u8", data=struct.pack("<3Q", 1, 2, 3))
    frames: list[AnyFrame] = [
        Hello(version="0", host="h", kernel="6", machine="x", cpus=2, boot_realtime_ns=0),
        *(
            Snapshot(run=1, seq=seq, realtime_ns=0, monotonic_ns=seq, boottime_ns=0, maps={"calls": {"value": column}})
            for seq in (1, 2)
        ),
    ]
    old, new = tmp_path / "old", tmp_path / "new"
    bodies = [msgspec.msgpack.encode(frame) for frame in frames]
    records = b"".join(struct.pack("<QI", at, len(body)) + body for at, body in enumerate(bodies))
    packed = zlib.compress(records)
    header = struct.pack("<IIQQ", len(packed), len(records), 0, 2)
    old.write_bytes(b"ebpftop tape" + struct.pack("<I", 1) + header + packed + bytes(24))
    with tape.TapeWriter(new) as writer:
        for frame in frames:
            writer.write(frame)
    assert new.read_bytes()[12:16] == struct.pack("<I", 2)
    assert [frame for _, frame in tape.TapeReader(old)] == frames
    assert [frame for _, frame in tape.TapeReader(new)] == frames


def test_what_did_not_change_takes_no_room_on_a_tape(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).integers(0, 1 << 63, 10_000, np.uint64)
    maps = {"calls": {"value": Column(dtype="<u8", data=rows.tobytes())}}
    sizes = []
    with tape.TapeWriter(tmp_path / "tape") as writer:
        for seq in range(1, 51):
            writer.write(Snapshot(run=1, seq=seq, realtime_ns=0, monotonic_ns=seq, boottime_ns=0, maps=maps))
            writer.flush()
            sizes.append(writer.size)
    assert sizes[0] > 80_000
    assert sizes[-1] - sizes[0] < 49 * 250
