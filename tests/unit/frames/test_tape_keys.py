"""Beginning in the middle of a tape, by its keys and its index, whatever these say."""

from __future__ import annotations

import itertools
import random
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ebpftop.frames import tape_format
from ebpftop.frames.columns import Labels, unpack
from ebpftop.frames.messages import AnyFrame, Snapshot
from ebpftop.frames.overview import Gains, gains_of
from ebpftop.frames.recall import Recall
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.frames.tape_format import BadTape, Index
from tests.support import plain_tape
from tests.support.frames import (
    CALLS,
    EXECS,
    LATENCY,
    SECOND,
    catalog,
    columns,
    cost,
    detached,
    events,
    hello,
    loaded,
    mark,
    probe,
    process,
    processes,
    snapshot,
    stacks,
)

SECONDS = 60


def story(seed: int = 1, seconds: int = SECONDS) -> list[tuple[int, AnyFrame]]:
    """Three runs, one after the other, with rows that come and go, and all kinds of frames; a time in ns for each."""
    choose = random.Random(seed)
    told: list[tuple[int, AnyFrame]] = [(0, hello()), (0, catalog(probe("cpu/syscount", [CALLS])))]
    rows: dict[int, dict[tuple[int, str], int]] = {}
    for second in range(seconds):
        at = second * SECOND + choose.randrange(SECOND // 2)
        if second in (1, seconds // 3, seconds // 2):
            run = len(rows) + 1
            rows[run] = {}
            told.append((at, loaded(run, "cpu/syscount", CALLS, LATENCY, EXECS)))
        if second == 2 * seconds // 3:
            told.append((at, detached(1)))
        if second == seconds // 2:
            told.append((at, catalog(probe("cpu/syscount", [CALLS]), probe("cpu/runqlat", [LATENCY]))))
        if choose.random() < 0.3:
            told.append((at, processes(process(second, f"comm {second}", command=""))))
        if choose.random() < 0.2:
            told.append((at, stacks({second: ["main", f"f{second}"]})))
        if choose.random() < 0.1:
            told.append((at, mark(f"mark {second}", second)))
        for run, known in rows.items():
            if run == 1 and second >= 2 * seconds // 3:
                continue
            for _ in range(choose.randrange(6)):
                key = choose.randrange(5), choose.choice(["read", "write", f"call {choose.randrange(9)}"])
                known[key] = known.get(key, 0) + choose.choice([1, 300, 1 << 40])
            for key in [key for key in known if choose.random() < 0.05]:
                del known[key]
            calls = (
                columns(
                    tgid=[key[0] for key in known],
                    nr=[key[1] for key in known],
                    count=[*known.values()],
                    last_ns=[0] * len(known),
                )
                if known
                else columns(tgid=[], nr=np.zeros(0, "<u4"), count=[], last_ns=[])
            )
            counts = columns(
                tgid=[key[0] for key in known], slot=[key[0] * 9 for key in known], count=[*known.values()]
            )
            if known:
                told.append((at + run, snapshot(run, second, {"calls": calls, "latency": counts})))
            told.append((at + run, cost(run, second, second, 100 * second)))
            if choose.random() < 0.4:
                told.append((at + run, events(run, "events", columns(tgid=[second], args=[""], errno=["x"]))))
    return told


def write(path: Path, told: Iterable[tuple[int, AnyFrame]], *, ends: bool = True) -> Path:
    now = [0]
    path.unlink(missing_ok=True)
    writer = TapeWriter(path, args=True, clock=lambda: now[0])
    for now[0], frame in told:
        writer.write(frame)
    if ends:
        writer.close()
    else:
        writer.flush()
    return path


@pytest.fixture(autouse=True)
def keys_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_format, "KEY_SECONDS", 5.0)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return write(tmp_path / "a.tape", story())


def state(frames: Iterable[tuple[int, AnyFrame]], until: int) -> list[AnyFrame]:
    recall = Recall()
    for at, frame in frames:
        if at > until:
            break
        recall.add(frame)
    return recall.frames()


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 30), st.lists(st.floats(0, SECONDS + 1), min_size=1, max_size=5), st.booleans())
def test_any_jump_gives_the_state_that_reading_from_the_start_gives(
    tmp_path: Path, seed: int, jumps: list[float], ends: bool
) -> None:
    reader = TapeReader(write(tmp_path / "a.tape", story(seed), ends=ends))
    assert len(reader.blocks.keys) > 3
    assert (reader.blocks.index is not None) == ends
    for seconds in jumps:
        until = round(seconds * 1e9)
        expected = state(_readable(iter(reader)), until)
        assert state(_readable(reader.since(until)), until) == expected
    reader.close()


def _readable(frames: Iterable[tuple[int, AnyFrame]]) -> Iterable[tuple[int, AnyFrame]]:
    try:
        yield from frames
    except BadTape as error:
        if not any(each in str(error) for each in ("is still being recorded", "is truncated")):
            raise


def test_a_jump_reads_one_key_and_the_blocks_up_to_the_moment(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = TapeReader(tape)
    key = next(key for key in reader.blocks.keys if key.time > 30 * SECOND)
    read: list[tuple[int, int]] = []
    real = zlib.decompressobj

    class Counted:
        def __init__(self) -> None:
            self._stream = real()

        def decompress(self, data: bytes, limit: int) -> bytes:
            read.append((1, len(data)))
            return self._stream.decompress(data, limit)

        def __getattr__(self, name: str) -> object:
            return getattr(self._stream, name)

    monkeypatch.setattr(zlib, "decompressobj", Counted)
    for at, _ in reader.since(key.time + SECOND):
        if at > key.time + SECOND:
            break
    blocks = len([each for each in read if each[1]])
    assert blocks <= 6  # the key, the catalog, and a block or two a second


def test_frames_and_keys_are_what_the_page_on_the_format_says(tape: Path) -> None:
    """Read by other code: equal rows from the start, and from each key on."""
    ours = [frame for _, frame in TapeReader(tape) if isinstance(frame, Snapshot)]
    maps = plain_tape.Maps()
    theirs = [rows for _, frame in plain_tape.frames(tape) if (rows := maps.take(frame)) is not None]
    assert [_rows(each) for each in ours] == theirs
    found = plain_tape.blocks(tape)
    begins = [block for before, block in itertools.pairwise(found) if block.kind == "key" != before.kind]
    assert len(begins) > 3
    for number in range(len(begins)):
        late = plain_tape.Maps()
        seen = [rows for _, frame in plain_tape.frames_from(tape, number) if (rows := late.take(frame)) is not None]
        later = [block for block in found if block.at > begins[number].at and block.kind in ("frames", "catalog")]
        behind = sum(frame["kind"] == "changes" for block in later for _, frame in block.frames())
        assert seen[len(seen) - behind :] == theirs[len(theirs) - behind :]
        assert 2 <= len(seen) - behind <= 6  # the last two snapshots of each run
        kinds = [frame["kind"] for _, frame in begins[number].frames()]
        assert kinds[0] == "hello"
        assert "catalog" not in kinds


def sorted_rows(frames: Iterable[tuple[int, AnyFrame]]) -> list[tuple[int, object]]:
    """The same, without the order of a snapshot's rows."""
    return [
        (at, [frame.seq, frame.realtime_ns, {name: sorted(map(str, rows)) for name, rows in _rows(frame).items()}])
        if isinstance(frame, Snapshot)
        else (at, frame)
        for at, frame in frames
    ]


def _rows(frame: Snapshot) -> dict[str, list[dict[str, object]]]:
    maps = {}
    for name, packed in frame.maps.items():
        opened = unpack(packed)
        values = {key: each.texts() if isinstance(each, Labels) else each.tolist() for key, each in opened.items()}
        maps[name] = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return maps


def test_the_index_is_what_the_page_on_the_format_says(tape: Path) -> None:
    found = plain_tape.blocks(tape)
    *_, last, index, end = found
    assert (index.kind, end.first) == ("index", index.at)
    content = msgspec.msgpack.decode(index.data)
    assert content["last"] == last.at
    catalogs = [block.at for block in found if block.kind == "catalog"]
    begins = [block for before, block in itertools.pairwise(found) if block.kind == "key" != before.kind]
    assert [*struct.iter_unpack("<QQQ", content["keys"])] == [
        (block.at, block.first, max(at for at in catalogs if at < block.at)) for block in begins
    ]
    marks = [frame for _, frame in plain_tape.frames(tape) if frame["kind"] == "mark"]
    assert [each["text"] for each in content["marks"]] == [each["text"] for each in marks]
    first, frame = next((time, frame) for time, frame in plain_tape.frames(tape) if "realtime_ns" in frame)
    assert content["monotonic_ns"] == frame["monotonic_ns"] - first
    assert content["realtime_ns"] == frame["realtime_ns"] - first


def test_a_killed_writers_tape_has_the_same_keys_without_an_index(tmp_path: Path, tape: Path) -> None:
    whole = TapeReader(tape)
    part = tmp_path / "part.tape"
    part.write_bytes(tape.read_bytes()[: whole.blocks.last.end])
    cut = TapeReader(part)
    assert cut.blocks.index is None
    assert cut.blocks.keys == whole.blocks.keys
    assert "is truncated after" in cut.problem
    assert (cut.duration, whole.problem) == (whole.duration, "")


def test_a_key_that_was_cut_is_none(tmp_path: Path, tape: Path) -> None:
    keys = TapeReader(tape).blocks.keys
    part = tmp_path / "part.tape"
    for more in (10, 28, 60):
        part.write_bytes(tape.read_bytes()[: keys[2].at + more])
        reader = TapeReader(part)
        assert reader.blocks.keys == keys[:2]
        assert state(_readable(reader.since(1 << 60)), 1 << 60) == state(_readable(iter(reader)), 1 << 60)


def lies(content: Index, size: int) -> dict[str, Index]:
    """Indexes that aren't true of a tape."""
    keys = [*struct.iter_unpack("<QQQ", content.keys)]

    def with_keys(*those: tuple[int, int, int]) -> Index:
        return msgspec.structs.replace(content, keys=b"".join(struct.pack("<QQQ", *each) for each in those))

    first, second = keys[:2]
    return {
        "beyond": with_keys((size + 5, first[1], 0)),
        "far beyond": with_keys(((1 << 64) - 1, first[1], 0)),
        "unsorted": with_keys(second, first),
        "twice": with_keys(first, first),
        "within a block": with_keys((first[0] + 3, first[1], first[2])),
        "no key there": with_keys((first[2], first[1], first[2])),
        "another time": with_keys((first[0], first[1] + 1, first[2])),
        "no catalog there": with_keys((first[0], first[1], first[0] - 1)),
        "a catalog in the header": with_keys((first[0], first[1], 3)),
        "a rest": msgspec.structs.replace(content, keys=content.keys + b"\0"),
        "another last block": msgspec.structs.replace(content, last=first[0]),
        "a last block beyond": msgspec.structs.replace(content, last=1 << 61),
    }


def with_index(path: Path, body: bytes, claims: int | None = None) -> None:
    data = path.read_bytes()
    (at,) = struct.unpack_from("<Q", data, len(data) - 20)
    _, _, first, last, kind = struct.unpack_from("<IIQQI", data, at)
    packed = zlib.compress(body)
    header = struct.pack("<IIQQI", len(packed), len(body) if claims is None else claims, first, last, kind)
    path.write_bytes(data[:at] + header + packed + data[-28:])


@pytest.mark.parametrize("lie", lies(Index(last=0, keys=struct.pack("<6Q", *range(6, 12))), 9))
def test_an_index_that_lies_is_never_believed(tape: Path, lie: str) -> None:
    honest = TapeReader(tape)
    assert honest.blocks.index is not None
    whole = [*honest]
    expected = {until: state(honest.since(until * SECOND), until * SECOND) for until in (3, 30, SECONDS)}
    with_index(tape, msgspec.msgpack.encode(lies(honest.blocks.index, honest.size)[lie]))
    for until, frames in expected.items():
        reader = TapeReader(tape)
        assert state(reader.since(until * SECOND), until * SECOND) == frames
        assert reader.duration == honest.duration
        assert [*reader] == whole
    assert reader.blocks.index is None
    assert reader.blocks.keys == honest.blocks.keys


@pytest.mark.parametrize(
    ("body", "claims"),
    [
        (b"\xdd\xff\xff\xff\xff", None),
        (b"", 1),
        (bytes(40 << 20), (1 << 32) - 1),
        (bytes(17 << 20), None),
        (b"{}", None),
    ],
    ids=["cut", "empty", "40 MiB that claim more", "17 MiB", "another type"],  # else all these bytes are the name
)
def test_an_index_that_is_none_or_huge_is_made_again(tape: Path, body: bytes, claims: int | None) -> None:
    honest = TapeReader(tape)
    with_index(tape, body, claims)
    reader = TapeReader(tape)
    assert (reader.blocks.index, reader.blocks.keys) == (None, honest.blocks.keys)


def test_any_byte_of_the_index_may_be_wrong(tape: Path) -> None:
    honest = TapeReader(tape)
    expected = state(honest.since(40 * SECOND), 40 * SECOND)
    data = tape.read_bytes()
    begins = honest.blocks.last.end
    for at in range(begins, len(data), 23):
        tape.write_bytes(data[:at] + bytes([data[at] ^ 0x15]) + data[at + 1 :])
        reader = TapeReader(tape)
        assert state(_damaged(reader.since(40 * SECOND)), 40 * SECOND) == expected
        reader.close()


def _damaged(frames: Iterable[tuple[int, AnyFrame]]) -> Iterable[tuple[int, AnyFrame]]:
    try:
        yield from frames
    except BadTape:
        return


def test_a_tape_is_read_while_it_is_written(tmp_path: Path) -> None:
    now = [0]
    told = story()
    writer = TapeWriter(tmp_path / "a.tape", args=True, clock=lambda: now[0])
    for count, (now[0], frame) in enumerate(told):
        writer.write(frame)
        if count and count % 100 == 0:
            writer.flush()
            reader = TapeReader(tmp_path / "a.tape")
            assert sorted_rows(_readable(iter(reader))) == sorted_rows(told[: count + 1])
            until = now[0]
            assert state(_readable(reader.since(until)), until) == state(_readable(iter(reader)), until)
            reader.close()
    writer.close()


def test_a_clock_that_steps_back_moves_nothing(tmp_path: Path) -> None:
    """Times on a tape are monotonic; the clock on the wall may go anywhere."""
    told = story()
    stepped = [
        (at, msgspec.structs.replace(frame, realtime_ns=frame.realtime_ns - 3600 * SECOND))
        if isinstance(frame, Snapshot) and at > 30 * SECOND
        else (at, frame)
        for at, frame in told
    ]
    reader = TapeReader(write(tmp_path / "a.tape", stepped))
    assert sorted_rows(reader) == sorted_rows(stepped)
    for until in (20 * SECOND, 31 * SECOND, 55 * SECOND):
        assert state(reader.since(until), until) == state(reader, until)
    backwards = [(SECONDS * SECOND - at, frame) for at, frame in told]  # even the monotonic one
    read = sorted_rows(TapeReader(write(tmp_path / "b.tape", backwards)))
    assert [frame for _, frame in read] == [frame for _, frame in sorted_rows(told)]


def test_keys_are_at_most_half_of_a_tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_format, "KEY_SECONDS", 0.0)
    found = plain_tape.blocks(write(tmp_path / "a.tape", story(seconds=300)))
    sizes = {kind: sum(block.end - block.at for block in found if block.kind == kind) for kind in ("key", "frames")}
    assert 0.2 * sizes["frames"] < sizes["key"] <= sizes["frames"]


# ---------------------------------------------------------------- the overview


def overview(path: Path) -> dict[tuple[int, str, str], Gains]:
    outline = TapeReader(path).outline
    assert outline is not None
    return {(each.run, each.view, each.counter): each for each in outline.lines}


def test_the_overview_counts_what_the_snapshots_count(tmp_path: Path) -> None:
    told: list[tuple[int, AnyFrame]] = [(0, hello()), (SECOND, loaded(1, "a/b", LATENCY, CALLS, EXECS))]
    total = 0
    for second in range(2, 700):
        total += second
        rows = columns(tgid=[1, 2], slot=[8, 40 if second < 600 else 41], count=[total, 3])
        told.append((second * SECOND, snapshot(1, second - 1, {"latency": rows})))
        told.append((second * SECOND, events(1, "events", columns(tgid=[1, 2], args=["", ""], errno=["", ""]))))
    found = overview(write(tmp_path / "a.tape", told))
    latency = found[1, "latency", "count"]
    assert latency.powers.tolist() == [1, 5]
    assert (latency.first, len(latency.gains)) == (1, 349)  # steps of two seconds
    assert latency.cells[0].tolist() == [2 * step + 2 * step + 1 for step in range(1, 350)]
    assert latency.cells[1].tolist() == [3 if step in (0, 299) else 0 for step in range(349)]
    assert np.array_equal(latency.gains, latency.cells.sum(axis=0))
    assert found[1, "execs", ""].gains.tolist() == [4] * 349


def test_rows_that_are_added_up_count_once_and_shrunken_ones_from_zero(tmp_path: Path) -> None:
    def calls(second: int, rows: dict[int, int]) -> tuple[int, AnyFrame]:
        names = ["read"] * len(rows)
        table = columns(tgid=[*rows], nr=names, count=[*rows.values()], last_ns=[0] * len(rows))
        return second * SECOND, snapshot(1, second, {"calls": table})

    told = [
        (0, hello()),
        (0, loaded(1, "a/b", CALLS)),
        calls(0, {1: 10, 2: 5}),
        calls(1, {0: 12, 2: 5}),  # 1 ended with 12 and is added up
        calls(2, {0: 12}),  # 2 was evicted
        calls(3, {0: 12, 2: 4, 3: 100}),
        calls(4, {0: 12, 2: 4, 3: 7}),  # 3 shrank
        calls(5, {0: 20, 2: 4, 3: 2}),  # 3 was added up with 8, and counts again
    ]
    assert overview(write(tmp_path / "a.tape", told))[1, "calls", "count"].gains.tolist() == [15, 2, 0, 104, 7, 3]


def test_lines_that_no_writer_writes_are_left_out() -> None:
    good = tape_format.Line(run=1, view="v", counter="c", gains=bytes(16), powers=b"\1\2", cells=bytes(32))
    replace: Callable[..., tape_format.Line] = msgspec.structs.replace
    assert gains_of(good) is not None
    for bad in (
        replace(good, gains=bytes(15)),
        replace(good, gains=bytes(8 * 600), powers=b"", cells=b""),
        replace(good, first=1 << 60),
        replace(good, cells=bytes(24)),
        replace(good, powers=b"\2\1"),
        replace(good, powers=b"\1\x80"),
        replace(good, gains=b"\xff" * 16),
    ):
        assert gains_of(bad) is None
