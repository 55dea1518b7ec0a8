"""The author's lines in a log, and the names in them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

# `; *count += 1; @ main.c:8` (6.9 and newer) or `; *count += 1;`.
_COMMENT = re.compile(r"\s*; (?P<text>.*?)(?: @ (?P<file>[^@]+):(?P<line>\d{1,9}))?$")
LONGEST = 512  # characters of a line of C that are searched for names
_RESULT = re.compile(r"(\w+)\s*=\s*(?:\([^()]*\)\s*)?[A-Za-z_][\w.>-]*\s*\(")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of C. file and line (from 1) are None if the log has none, as with kernels before 6.9."""

    file: str | None
    line: int | None
    text: str


class Source:
    """The author's file, to quote from. The log may know it under another folder."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._name = PurePosixPath(file).name
        self._lines = text.split("\n")
        self._places: dict[str, list[int]] = {}
        for number, line in enumerate(self._lines, 1):
            self._places.setdefault(line.strip(), []).append(number)

    def quote(self, place: Place) -> Place:
        """The same place in this file: by its number, if that line has the text that the log quotes, else by the text,
        if only one line has it; else unchanged, because a line of another version would mislead.
        """
        text = place.text.strip()
        numbers = self._places.get(text, []) if text else []
        if place.line is not None and (place.line in numbers or (not text and self._is(place.file))):
            numbers = [place.line]
        if len(numbers) == 1 and 0 < numbers[0] <= len(self._lines):
            return Place(self.file, numbers[0], self._lines[numbers[0] - 1].rstrip("\r"))
        return place

    def _is(self, file: str | None) -> bool:
        return file is not None and PurePosixPath(file).name == self._name


class Quotes:
    """The author's lines that a log quotes before the instructions generated from them."""

    def __init__(self, lines: Sequence[str], source: Source | None = None) -> None:
        self._lines = lines
        self._comments = [number for number, line in enumerate(lines) if line.lstrip()[:2] == "; "]
        self._source = source

    def at(self, line: int) -> Place | None:
        """The author's line of the instruction in this line of the log; None if none is quoted."""
        index = bisect_left(self._comments, line) - 1
        if index < 0:
            return None
        match = _COMMENT.match(self._lines[self._comments[index]].rstrip())
        if match is None or not match["text"].strip() or match["line"] == "0":
            return None
        return self.quote(Place(match["file"], int(match["line"]) if match["line"] else None, match["text"].strip()))

    def quote(self, place: Place) -> Place:
        """The place in the author's file, if there is one."""
        return self._source.quote(place) if self._source else place


def result_of_call(text: str) -> str:
    """The variable to which a line of C assigns the result of a call, "" if it isn't plain: `u64 *n = lookup(…)`."""
    names = {match[1] for match in _RESULT.finditer(text[:LONGEST])}
    return names.pop() if len(names) == 1 else ""
