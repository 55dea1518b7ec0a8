"""Checks a TOML document: typed lookups that collect all problems with their lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from ebpftop.base.inert import inert, quoted
from ebpftop.base.nearest import closest, nearest
from ebpftop.catalog.positions import KeyPath, key_lines

MOST_PROBLEMS = 50  # reported problems of one file
LONGEST = 4096  # characters of a line: tomllib's time grows with the square of the number of parts in a dotted key


class BadManifest(Exception):
    """An invalid probe folder. `problems` are lines `FILE:LINE: KEY: what is wrong`; the text is the first of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems[0])
        self.problems = list(problems)


class Document:
    """The text of one manifest and its problems. Raises BadManifest immediately if it isn't TOML, or has a
    line of more than LONGEST characters.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = inert(file)
        self.text = text
        self._problems: list[tuple[int, str]] = []
        for at_line, content in enumerate(text.split("\n"), 1):
            if len(content) > LONGEST:
                raise BadManifest([f"{self.file}:{at_line}: a line of more than {LONGEST:,} characters"])
        try:
            self.values = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            message = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
            line = int(at[1]) if at and at[1] else text.count("\n") + 1 if at else 1
            what = message[: at.start()] if at else message
            raise BadManifest([f"{self.file}:{line}: {inert(what)}"]) from None

    def problem(self, path: KeyPath, what: str) -> None:
        line = self.line(path)
        key = _shown(path)
        self._problems.append((line, f"{self.file}:{line}: {key}: {what}" if key else f"{self.file}:{line}: {what}"))

    def lines_of(self, problems: Iterable[tuple[KeyPath, str]]) -> list[str]:
        """Problems found later, with their lines, in line order; only the first ones if there are very many."""
        for path, what in problems:
            self.problem(path, what)
        found = [text for _, text in sorted(self._problems, key=lambda problem: problem[0])]
        more = len(found) - MOST_PROBLEMS
        return found if more <= 0 else [*found[:MOST_PROBLEMS], f"{self.file}: and {more:,} more"]

    def line(self, path: KeyPath) -> int:
        """The line of a key, or of the nearest enclosing table that appears in the text."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def finish(self) -> None:
        """Raises BadManifest with all problems in line order, if there are any."""
        if self._problems:
            raise BadManifest(self.lines_of(()))

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return key_lines(self.text)


class TomlTable:
    """One table of a document; its keys must be among `known`.

    A missing value or one of the wrong type is recorded as a problem and read as empty.
    """

    def __init__(self, document: Document, path: KeyPath, values: dict[str, Any], known: Sequence[str]) -> None:
        self.document = document
        self.path = path
        self.values = values
        unknown = [key for key in values if key not in known]
        self._mistyped = {closest(key, known) for key in unknown}
        for key in unknown:
            self.problem(key, f"unknown key{nearest(key, known)}")

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def problem(self, key: str, what: str) -> None:
        self.document.problem((*self.path, key), what)

    def text(
        self, key: str, default: str | None = None, pattern: str = r".*\S.*", what: str = "one line of text"
    ) -> str:
        """A printable string that fully matches the pattern; required if it has no default."""
        value: str | None = self._get(key, str, "a string", required=default is None)
        if value is None:
            return default or ""
        if not value.isprintable() or not re.fullmatch(pattern, value):
            self.problem(key, f"expected {what}, not {quoted(value)}")
        return value

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        """One of the choices; required if it has no default."""
        value: str | None = self._get(key, str, "a string", required=default is None)
        if value is None:
            return default or ""
        if value not in choices:
            expected = ", ".join(choice or '""' for choice in choices)
            self.problem(key, f"expected one of {expected}, not {quoted(value)}{nearest(value, choices)}")
            return ""
        return value

    def integer(self, key: str, low: int, high: int) -> int | None:
        value: int | None = self._get(key, int, "an integer")
        if value is not None and not low <= value <= high:
            self.problem(key, f"expected {low} to {high}, not {value}")
        return value

    def number(self, key: str, low: float, high: float) -> float | None:
        """An integer or a fraction."""
        value = self.values.get(key)
        if value is None:
            return None
        if type(value) not in (int, float):
            self.problem(key, "expected a number")
        elif not low <= value <= high:  # also rejects NaN
            self.problem(key, f"expected {low:g} to {high:g}, not {value}")
        else:
            return float(value)
        return None

    def boolean(self, key: str, default: bool = False) -> bool:
        value = self._get(key, bool, "true or false")
        return default if value is None else bool(value)

    def texts(self, key: str, required: bool = False, unique: bool = True) -> list[str]:
        """An array of non-empty, printable strings."""
        values = self._get(key, list, "an array of strings", required) or []
        if not all(isinstance(value, str) and value and value.isprintable() for value in values):
            self.problem(key, "expected an array of non-empty, printable strings")
            return []
        if unique and len(set(values)) < len(values):
            self.problem(key, "contains the same string twice")
        return values

    def assignments(self, key: str) -> dict[str, str]:
        """A table of strings, integers and booleans, each as the text a user would type."""
        given: dict[str, str] = {}
        for name, value in (self._get(key, dict, "a table") or {}).items():
            if isinstance(value, bool):
                given[name] = "true" if value else "false"
            elif isinstance(value, str | int):
                given[name] = str(value)
            else:
                what = "expected a string, an integer, true or false"
                self.document.problem((*self.path, key, name), what)
        return given

    def table(self, key: str, known: Sequence[str]) -> TomlTable | None:
        """A table; None if there is none."""
        values = self._get(key, dict, "a table")
        return None if values is None else TomlTable(self.document, (*self.path, key), values, known)

    def tables(self, key: str, known: Sequence[str], required: bool = False) -> Iterator[TomlTable]:
        """The elements of an array of tables."""
        values = self._get(key, list, "an array of tables", required) or []
        if required and self.values.get(key) == []:
            self.problem(key, "expected at least one")
        for index, value in enumerate(values):
            if isinstance(value, dict):
                yield TomlTable(self.document, (*self.path, key, index), value, known)
            else:
                self.document.problem((*self.path, key, index), "expected a table")

    def named_tables(self, key: str, known: Sequence[str]) -> Iterator[tuple[str, TomlTable]]:
        """The tables in a table, with their names."""
        for name, value in (self._get(key, dict, "a table") or {}).items():
            if isinstance(value, dict):
                yield name, TomlTable(self.document, (*self.path, key, name), value, known)
            else:
                self.document.problem((*self.path, key, name), "expected a table")

    def _get(self, key: str, kind: type, what: str, required: bool = False) -> Any:
        """The value if it has exactly this type (true is not a number), else None."""
        if key not in self.values:
            if required and key not in self._mistyped:  # otherwise the unknown key is reported at its line
                self.problem(key, f"missing, expected {what}")
            return None
        value = self.values[key]
        if type(value) is not kind:
            self.problem(key, f"expected {what}")
            return None
        return value


def _shown(path: KeyPath) -> str:
    """A path as text: views[1].columns[0].unit, counted from 0."""
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{inert(part)}" if shown else inert(part)
    return shown
