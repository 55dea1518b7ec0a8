"""Tapes that are broken, foreign or hostile: a line, and what can be read is shown."""

from __future__ import annotations

import os
import random
import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest

from ebpftop.frames.messages import AnyFrame, Column, Columns, Notice, Rejected, Written
from ebpftop.frames.tape import TapeWriter
from ebpftop.frames.tape_format import MAGIC
from tests.support.command import AS_NOBODY
from tests.support.frames import (
    CALLS,
    LATENCY,
    SECOND,
    catalog,
    columns,
    hello,
    loaded,
    probe,
    process,
    processes,
    snapshot,
)
from tests.support.processes import eventually
from tests.support.shell import PROGRAM, framed, line, shell
from tests.support.terminal import Terminal

HOSTILE = "\x1b]0;t\x07\x1b[31m[bold]x[/nope]\u202e"
SHOWN = r"\x1b[31m[bold]x[/nope]\u202e"


@pytest.fixture
def term() -> Iterator[Terminal]:
    with shell(160, 36) as started:
        yield started


def calls(**changes: object) -> Columns:
    """Rows of `CALLS`, some columns replaced."""
    rows = columns(tgid=[1, 2], nr=["read", "write"], count=[40, 2], last_ns=[5, 6])
    return {**rows, **changes}


STORY: list[AnyFrame] = [
    hello(host="web-03"),
    catalog(probe("cpu/syscount", [CALLS]), probe("cpu/runqlat", [LATENCY])),
    processes(process(1, "postgres"), process(2, "node")),
    loaded(1, "cpu/syscount", CALLS),
    snapshot(1, 1, {"calls": calls()}),
]


class WholeSnapshots(TapeWriter):
    """Writes snapshots as they are, like format 1, also those that lie."""

    def _written(self, frame: AnyFrame, passed: int) -> Written:
        return frame


def written(path: Path, frames: Iterable[AnyFrame], writer: type[TapeWriter] = TapeWriter) -> Path:
    """A tape of these frames, all in its first second."""
    ticks = count(0, 1000)
    with writer(path, clock=lambda: next(ticks)) as tape:
        for frame in frames:
            tape.write(frame)
    return path


def replay(term: Terminal, tape: object, before: str = "") -> None:
    line(term, framed(f"{before} {PROGRAM} replay {tape}"))


def leave(term: Terminal) -> str:
    term.keys("q")
    screen = term.wait_for("ended: 0, terminal: same")
    assert "Traceback" not in screen
    assert "internal error" not in screen
    return screen


# ---------------------------------------------------------------- nothing to show


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is empty"),
        (b"root:x:0:0:", "is not an ebpftop tape"),
        (MAGIC[:5], "is truncated in its header"),
        (MAGIC + struct.pack("<I", 3), "was written by a newer ebpftop (tape format 3; this one reads 2)"),
        (MAGIC + struct.pack("<I", 1), "is truncated after 0.0 s"),
        (MAGIC + struct.pack("<IIIQQ", 1, 1 << 31, 1 << 31, 0, 0), "is damaged after 0.0 s"),
    ],
)
def test_a_file_without_frames_is_told_in_one_line(term: Terminal, tmp_path: Path, data: bytes, expected: str) -> None:
    tape = tmp_path / "a.tape"
    tape.write_bytes(data)
    replay(term, tape)
    screen = term.wait_for("ended: 1, terminal: same")
    assert f"ebpftop: {tape} {expected}\n" in screen
    assert term.untouched()


@pytest.mark.parametrize(
    ("place", "expected"), [("", "is not a regular file"), ("missing", ": No such file or directory")]
)
def test_a_path_that_leads_to_no_file_is_told(term: Terminal, tmp_path: Path, place: str, expected: str) -> None:
    tape = tmp_path / place
    replay(term, tape)
    assert f"ebpftop: {tape}{'' if place else ' '}{expected}" in term.wait_for("ended: 1, terminal: same")


@pytest.mark.root
def test_a_tape_that_may_not_be_read_is_told(term: Terminal, public: Path) -> None:
    tape = written(public / "a.tape", STORY)
    replay(term, tape, " ".join(AS_NOBODY))
    assert f"ebpftop: {tape}: Permission denied" in term.wait_for("ended: 1, ")
    tape.chmod(0o644)
    replay(term, tape, " ".join(AS_NOBODY))
    term.wait_for("postgres", "web-03")
    leave(term)


# ---------------------------------------------------------------- something to show


def test_what_was_recorded_before_a_tape_was_cut_is_shown_with_a_line(term: Terminal, tmp_path: Path) -> None:
    tape = written(tmp_path / "a.tape", STORY)
    os.truncate(tape, tape.stat().st_size - 24)
    replay(term, tape)
    term.wait_for("postgres", "is truncated after 0.0 s", "q quits")
    leave(term)


def test_damage_in_the_middle_shows_what_came_before(term: Terminal, tmp_path: Path) -> None:
    tape = tmp_path / "a.tape"
    ticks = iter([0, *(number * SECOND for number in range(len(STORY) + 2))])
    with TapeWriter(tape, clock=lambda: next(ticks) // 10) as writer:
        for frame in STORY:
            writer.write(frame)
        writer.flush()
        whole = tape.stat().st_size
        writer.write(snapshot(1, 2, {"calls": calls()}))
    data = bytearray(tape.read_bytes())
    data[whole + 40] ^= 0xFF
    tape.write_bytes(data)
    replay(term, tape)
    term.wait_for("postgres", "is damaged after")
    leave(term)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(calls(count=Column(dtype="<u8", data=bytes(8))), id="unequal columns"),
        pytest.param(calls(count=Column(dtype="<U9", data=bytes(72))), id="a foreign type"),
        pytest.param(calls(count=Column(dtype="<u8", data=b"\xff" * 16)), id="counts that can't be"),
        pytest.param(calls(nr=Column(dtype="<u4", data=b"\xff" * 8, labels=["read"])), id="codes without a label"),
        pytest.param({"tgid": calls()["tgid"]}, id="a column that is missing"),
    ],
)
def test_columns_that_lie_end_the_tape_with_a_line(term: Terminal, tmp_path: Path, bad: Columns) -> None:
    frames = [*STORY, snapshot(1, 2, {"calls": bad})]
    replay(term, written(tmp_path / "a.tape", frames, WholeSnapshots))
    term.wait_for("postgres", "✗", "q quits")
    leave(term)


def test_frames_of_runs_nobody_began_are_passed_over(term: Terminal, tmp_path: Path) -> None:
    replay(term, written(tmp_path / "a.tape", [*STORY, snapshot(9, 1, {"calls": calls()}), hello(host="second")]))
    term.wait_for("second", "ended")
    leave(term)


def test_hostile_text_is_shown_inert_everywhere(term: Terminal, tmp_path: Path) -> None:
    title = msgspec.structs.replace(CALLS, title=HOSTILE)
    frames = [
        hello(host=HOSTILE),
        catalog(probe("cpu/" + HOSTILE, [title], title=HOSTILE, source=HOSTILE)),
        processes(process(1, HOSTILE, command=HOSTILE), process(2, "node")),
        loaded(1, "cpu/" + HOSTILE, title, params={HOSTILE: HOSTILE}, variant=HOSTILE, notes=[HOSTILE]),
        snapshot(1, 1, {"calls": calls(nr=columns(nr=[HOSTILE, "x"])["nr"])}),
    ]
    replay(term, written(tmp_path / "a.tape", frames))
    screen = term.wait_for(SHOWN)
    assert screen.count(SHOWN) >= 2
    term.keys("Tab", "Enter")
    term.wait_for("Esc closes")
    term.keys("Escape")
    eventually(lambda: "Esc closes" not in term.text(), "the row's details are closed")
    term.keys("i")
    term.wait_for("question  Is it")
    term.keys("?")
    term.wait_for("Keys")
    term.keys("Escape")
    eventually(lambda: "question  Is it" in term.text(), "the help is closed")
    leave(term)


def append(tape: Path, *bodies: bytes, at: int = 4000) -> None:
    """One more block of frames as msgpack, packed as far as it goes."""
    records = b"".join(struct.pack("<QI", at, len(body)) + body for body in bodies)
    packed = zlib.compress(records, 9)
    whole = tape.read_bytes()
    (index,) = struct.unpack_from("<Q", whole, len(whole) - 20)  # none of what is appended is in it
    header = struct.pack("<IIQQI", len(packed), len(records), at, at, 0)
    tape.write_bytes(whole[: index or -28] + header + packed + struct.pack("<IIQQI", 0, 0, 0, 0, 8))


def noise(size: int) -> bytes:
    """A frame that does nothing and can't be packed: it makes the file larger."""
    text = random.Random(7).randbytes(size).hex()
    return msgspec.msgpack.encode(Notice(level="info", text=text))


def test_a_small_file_never_becomes_a_lot_of_memory(term: Terminal, tmp_path: Path) -> None:
    """32 MiB of an array's elements of one byte each, in a block of some KiB. The file is large enough for that."""
    frame = b"\x82\xa4kind\xa7catalog\xa6probes\xdd" + struct.pack(">I", 1 << 25) + b"\xc0" * (1 << 25)
    tape = written(tmp_path / "a.tape", STORY)
    append(tape, noise(2 << 20))
    append(tape, frame)
    line(term, framed(f"(ulimit -v 2000000; {PROGRAM} replay {tape})"))
    term.wait_for("postgres", "holds too large a frame after")
    leave(term)


def test_a_tape_that_unpacks_to_far_more_than_its_size_is_read_no_further(term: Terminal, tmp_path: Path) -> None:
    """1.1 MB that would unpack to 900 MB, and decode to more."""
    tape = written(tmp_path / "a.tape", STORY)
    lines = b"\xdd" + struct.pack(">I", 1 << 21) + b"\x92\0\0" * (1 << 21)
    rejected = msgspec.msgpack.encode(Rejected(run=1, probe="x", params={}, stage="verify", error=""))
    for _ in range(24):
        append(tape, *[b"\x88" + rejected[1:] + b"\xa5lines" + lines] * 6)
    line(term, framed(f"(ulimit -v 1000000; {PROGRAM} replay {tape})"))
    term.wait_for("postgres", "unpacks to more than a tape of its size holds, after 0.0 s")
    leave(term)


def test_a_tape_of_more_runs_than_can_be_shown_ends_with_a_line(term: Terminal, tmp_path: Path) -> None:
    runs = [loaded(number, "cpu/syscount", CALLS) for number in range(2, 2000)]
    replay(term, written(tmp_path / "a.tape", [*STORY, *runs]))
    term.wait_for("more than 256 probes run at once")
    eventually(lambda: "postgres" in term.text() or "syscount" in term.text(), "the runs are there")
    leave(term)
