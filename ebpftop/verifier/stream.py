"""A file of logs, however long, as one excerpt a program: the beginning, the end, and how much lies between.

The complaint and what led to it stand at the end of a program's log; what a loader says of it, at the beginning.
Nothing is read twice or kept longer, so a pipe does, and memory is bounded: by `HEAD` + `TAIL` and one `CHUNK`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

CHUNK = 1 << 20  # bytes
HEAD = 1 << 16
TAIL = 2 << 20
AFTER = 1 << 11

# Each is looked for by itself, which is many times faster than one expression with alternatives.
_MARKS = (b"processed ", b"0: R1=ctx", b" program")
_ENDS = re.compile(rb"processed \d+ insns")
_BEGINS = re.compile(rb"BPF program load failed: |(?:^|[\s\"])0: R1=ctx\([^()]*\) R10=fp0\s*$|\bload program: \w")
_SHOWN = re.compile(rb"(?:^|[^\w+-])\d+: \([0-9a-f]{2}\) ")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One program's log. lines: with their ends. gap: before which of them some are left out, None if all are here.

    ended: whether the log's own end was seen, as against the end of the file or the beginning of another log. after: of
    one that ended, the next lines, as far as they are there already: some loaders name the program only then.
    """

    lines: list[str]
    gap: int | None
    ended: bool
    after: tuple[str, ...] = field(default=(), compare=False)


def excerpts(stream: BinaryIO) -> Iterator[Excerpt]:
    """Each program's log in turn, and whatever stands between them; nothing for an empty stream."""
    portion = _Portion()
    for chunk in _chunks(stream):
        start = looked = 0
        cuts = _cuts(chunk)
        shown = bool(cuts) and portion.shows()
        for at, ends in cuts:
            shown = shown or _SHOWN.search(chunk, looked, at) is not None
            looked = at
            if ends or shown:
                portion.add(chunk[start:at])
                yield portion.excerpt(ended=ends, after=chunk[at : at + AFTER] if ends else b"")
                portion, start, shown = _Portion(), at, False
        portion.add(chunk[start:] if start else chunk)
    if portion.size:
        yield portion.excerpt(ended=False)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Pieces that end with a line, but for lines longer than a piece."""
    rest = b""
    while piece := stream.read(CHUNK):
        end = piece.rfind(b"\n") + 1
        if end:
            yield b"".join((rest, memoryview(piece)[:end]))
            rest = piece[end:]
        elif len(rest) >= CHUNK:
            yield rest
            rest = piece
        else:
            rest += piece
    if rest:
        yield rest


def _cuts(chunk: bytes) -> list[tuple[int, bool]]:
    """Where a log ends (True), behind the line that says so, or may begin (False), before it; in order."""
    cuts: dict[int, bool] = {}
    for mark in _MARKS:
        at = chunk.find(mark)
        while at >= 0:
            start = chunk.rfind(b"\n", 0, at) + 1
            end = chunk.find(b"\n", at) + 1 or len(chunk)
            line = chunk[start : min(end, start + 4096)]
            if _ENDS.search(line):
                cuts[end] = True
            elif _BEGINS.search(line):
                cuts.setdefault(start, False)
            at = chunk.find(mark, end)
    return sorted(cuts.items())


class _Portion:
    """The bytes of one log: its beginning, and of what follows only the last."""

    def __init__(self) -> None:
        self.size = 0
        self._head = b""
        self._tail: deque[bytes] = deque()
        self._kept = 0

    def add(self, piece: bytes) -> None:
        """Keep a piece of whole lines, and drop what is beyond the limit."""
        self.size += len(piece)
        if len(self._head) < HEAD and not self._tail:
            cut = len(piece)
            if len(self._head) + cut > HEAD:
                cut = piece.find(b"\n", HEAD - len(self._head)) + 1 or cut
            self._head += piece[:cut]
            piece = piece[cut:]
        if piece:
            self._tail.append(piece)
            self._kept += len(piece)
        while self._kept - len(self._tail[0] if self._tail else b"") > TAIL:
            self._kept -= len(self._tail.popleft())

    def shows(self) -> bool:
        """Whether an instruction is among what is kept."""
        return any(_SHOWN.search(piece) for piece in (self._head, *self._tail))

    def excerpt(self, *, ended: bool, after: bytes = b"") -> Excerpt:
        """What is kept, as text. Bytes that are no UTF-8 become U+FFFD."""
        head = _lines(self._head)
        dropped = self.size > len(self._head) + self._kept
        return Excerpt(
            head + _lines(b"".join(self._tail)),
            len(head) if dropped else None,
            ended,
            tuple(_lines(after)) if after else (),
        )


def _lines(text: bytes) -> list[str]:
    """At line feeds only: a form feed or U+2028 ends no line of a log."""
    lines = text.decode(errors="replace").split("\n")
    return lines if lines[-1] else lines[:-1]
