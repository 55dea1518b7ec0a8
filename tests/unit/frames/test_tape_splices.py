"""Tapes that someone cut up and joined again: every block is valid by itself, but the whole isn't what was recorded."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ebpftop.frames.messages import AnyFrame
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.frames.tape_format import BLOCK, START, BadTape
from tests.support import long_tape, plain_tape

KIND = BLOCK.size - 4  # its place in a header


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("whole") / "a.tape", 30)


def written(path: Path, processes: int) -> Path:
    """40 s, with a key in them; no other tape has the same times."""
    now = 0
    with TapeWriter(path, clock=lambda: now + processes * (now > 0)) as tape:
        for now, frame in long_tape.frames(40, probes=2, count=processes):  # noqa: B007 - the clock reads it
            tape.write(frame)
    with closing(TapeReader(path)) as reader:
        assert reader.blocks.keys
    return path


def pieces(tape: Path) -> list[bytes]:
    """The blocks of a tape, its end included."""
    data = tape.read_bytes()
    return [data[block.at : block.end] for block in plain_tape.blocks(tape)]


def splices(blocks: list[bytes], others: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    for number in range(1, len(blocks) - 1):
        yield f"without {number}", [*blocks[:number], *blocks[number + 1 :]]
        yield f"{number} twice", [*blocks[: number + 1], *blocks[number:]]
        yield f"{number} of another tape", [*blocks[:number], others[number], *blocks[number + 1 :]]
        yield f"another tape from {number} on", [*blocks[:number], *others[number:]]
        for kind in {0, 1, 2, 4} - {blocks[number][KIND]}:
            named = blocks[number][:KIND] + struct.pack("<I", kind) + blocks[number][KIND + 4 :]
            yield f"{number} as kind {kind}", [*blocks[:number], named, *blocks[number + 1 :]]


def read(tape: Path) -> tuple[list[tuple[int, AnyFrame]], str]:
    """The frames, and why they aren't all."""
    found: list[tuple[int, AnyFrame]] = []
    try:
        with closing(TapeReader(tape)) as reader:
            found.extend(reader)
    except BadTape as error:
        return found, str(error)
    return found, ""


def test_a_tape_of_other_blocks_never_passes_for_a_whole_one(whole: Path, tmp_path: Path) -> None:
    honest, problem = read(whole)
    assert not problem
    other = written(tmp_path / "other.tape", 31)
    tape = tmp_path / "a.tape"
    for what, blocks in splices(pieces(whole), pieces(other)):
        tape.write_bytes(whole.read_bytes()[:START] + b"".join(blocks))
        found, problem = read(tape)
        assert problem or found == honest, what


def test_it_is_said_when_the_tape_is_opened(whole: Path, tmp_path: Path) -> None:
    blocks = pieces(whole)
    tape = tmp_path / "a.tape"
    tape.write_bytes(whole.read_bytes()[:START] + b"".join([*blocks[:20], *blocks[21:]]))
    with closing(TapeReader(tape)) as reader:
        assert reader.problem.endswith(
            " is damaged: a part is missing, repeated or from another tape; numbers may be wrong"
        )
