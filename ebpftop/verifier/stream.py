"""Splits a file of logs, however long, into one excerpt per program: the beginning and the end of its log.

The error message and the steps that led to it are at the end of a program's log; the loader's messages are at the
beginning. Nothing is read twice or kept longer than needed, so a pipe works, and memory is bounded: by `HEAD` + `TAIL`
and one `CHUNK`.
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

# Searched for one by one, which is many times faster than one expression with alternatives.
_MARKS = (b"processed ", b"0: R1=ctx", b" program")
_ENDS = re.compile(rb"processed \d+ insns")
_BEGINS = re.compile(rb"BPF program load failed: |(?:^|[\s\"])0: R1=ctx\([^()]*\) R10=fp0\s*$|\bload program: \w")
_SHOWN = re.compile(rb"(?:^|[^\w+-])\d+: \([0-9a-f]{2}\) ")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One program's log. lines: with their ends. gap: the index before which lines are left out, None if all are here.

    ended: whether the log's own end was seen, rather than the end of the file or the beginning of another log. after:
    the next lines if it ended, as far as they have been read: some loaders name the program only then.
    """

    lines: list[str]
    gap: int | None
    ended: bool
    after: tuple[str, ...] = field(default=(), compare=False)


def excerpts(stream: BinaryIO) -> Iterator[Excerpt]:
    """Yield each program's log in turn, and any text in between; nothing for an empty stream."""
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
    """Pieces of whole lines, except for lines longer than a piece."""
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
    """Where logs end (True, after the last line) or may begin (False, before the first line), in order."""
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
    """The bytes of one log: its beginning, and only the last part of the rest."""

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
        """Whether the kept bytes show an instruction."""
        return any(_SHOWN.search(piece) for piece in (self._head, *self._tail))

    def excerpt(self, *, ended: bool, after: bytes = b"") -> Excerpt:
        """The kept bytes as text. Bytes that aren't UTF-8 become U+FFFD."""
        head = _lines(self._head)
        dropped = self.size > len(self._head) + self._kept
        return Excerpt(
            head + _lines(b"".join(self._tail)),
            len(head) if dropped else None,
            ended,
            tuple(_lines(after)) if after else (),
        )


def _lines(text: bytes) -> list[str]:
    """The lines, split at line feeds only: a form feed or U+2028 doesn't end a line of a log."""
    lines = text.decode(errors="replace").split("\n")
    return lines if lines[-1] else lines[:-1]
