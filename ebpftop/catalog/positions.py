"""The line of each key in a TOML text, which tomllib doesn't report. For texts that tomllib accepts (TOML 1.0)."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

KeyPath = tuple[str | int, ...]  # ("views", 1, "columns", 0, "decode")

_BLANK = re.compile(r"(?:[ \t\r\n,]|#[^\n]*)*")
_KEY = re.compile(r'[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"' r"|'[^']*'")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_SCALAR = re.compile(
    r'"""(?:\\[\s\S]|[^\\])*?"""(?:"{0,2})' r"|'''[\s\S]*?'''(?:'{0,2})" r'|"(?:\\.|[^"\\])*"' r"|'[^']*'|[^\s,\]}#]+"
)


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, counted from 1, where each key, table and array element first appears."""
    scan = _Scan(text)
    scan.document()
    return scan.lines


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.newlines = [m.start() for m in re.finditer("\n", text)]
        self.arrays: dict[KeyPath, int] = {}  # arrays of tables: how many elements so far

    def document(self) -> None:
        table: KeyPath = ()
        while self.skip(_BLANK) < len(self.text):
            if self.text.startswith("[[", self.at):
                self.at += 2
                table = self.header()
                count = self.arrays.get(table, 0)
                self.arrays[table] = count + 1
                table = (*table, count)
                self.note(table)
            elif self.text[self.at] == "[":
                self.at += 1
                table = self.header()
            else:
                self.pair(table)

    def header(self) -> KeyPath:
        """The path of a [table] or [[array]]; an array on the way means its last element."""
        path: KeyPath = ()
        self.skip(_BLANK)
        for name in self.dotted():
            if path in self.arrays:
                path = (*path, self.arrays[path] - 1)
            path = (*path, name)
            self.note(path)
        while self.at < len(self.text) and self.text[self.at] in " \t]":
            self.at += 1
        return path

    def pair(self, table: KeyPath) -> None:
        path = table
        for name in self.dotted():
            path = (*path, name)
            self.note(path)
        self.skip(_EQUALS)
        self.value(path)

    def value(self, path: KeyPath) -> None:
        self.note(path)
        opening = self.text[self.at : self.at + 1]
        if opening not in ("[", "{"):
            self.skip(_SCALAR)
            return
        closing = "]" if opening == "[" else "}"
        self.at += 1
        index = 0
        while self.skip(_BLANK) < len(self.text) and self.text[self.at] != closing:
            if opening == "[":
                self.value((*path, index))
                index += 1
            else:
                self.pair(path)
        self.at += 1

    def dotted(self) -> list[str]:
        names = [self.name()]
        while match := _DOT.match(self.text, self.at):
            self.at = match.end()
            names.append(self.name())
        return names

    def name(self) -> str:
        match = _KEY.match(self.text, self.at)
        if match is None:
            raise ValueError(f"no key at offset {self.at}")
        self.at = match.end()
        raw = match.group()
        return next(iter(tomllib.loads(f"{raw} = 0"))) if raw[0] in "\"'" else raw

    def skip(self, pattern: re.Pattern[str]) -> int:
        if match := pattern.match(self.text, self.at):
            self.at = match.end()
        return self.at

    def note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, bisect_right(self.newlines, self.at - 1) + 1)
