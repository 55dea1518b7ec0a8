"""Reads the numbers of an HTML report as a browser's scripts would."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_VOID = {"meta", "col", "br", "wbr", "rect", "line", "path", "polyline"}


@dataclass
class Cell:
    text: str = ""
    value: float | int | None = None
    low: int | None = None

    def __str__(self) -> str:
        return self.text


@dataclass
class Table:
    titles: list[str] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)


@dataclass
class View:
    name: str
    show: str
    attributes: dict[str, str] = field(default_factory=dict)  # all data-… inside it that aren't cells'
    tables: dict[str, Table] = field(default_factory=dict)


@dataclass
class Run:
    number: int
    probe: str
    losses: dict[str, int] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)


class Report(HTMLParser):
    """elements: every (name, attributes). text: all text of the page. open: elements that were never closed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.runs: dict[int, Run] = {}
        self.compared: dict[str, Run] = {}  # by probe
        self.tables: dict[str, Table] = {}
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self._scopes: list[Any] = []
        self._table: Table | None = None
        self._cell: Cell | None = None
        self._title: str | None = None
        self.feed(page)
        self.close()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if tag in _VOID:
            return
        self.open.append(tag)
        self._scopes.append(None)
        scope = next((each for each in reversed(self._scopes) if each is not None), None)
        if "data-run" in given:
            self._scopes[-1] = self.runs[int(given["data-run"])] = Run(int(given["data-run"]), given["data-probe"])
        elif "data-compared" in given:
            probe = given["data-compared"]
            self._scopes[-1] = self.compared[probe] = Run(0, probe)
        elif "data-view" in given:
            assert isinstance(scope, Run)
            self._scopes[-1] = scope.views[given["data-view"]] = View(given["data-view"], given["data-show"])
        elif "data-loss" in given:
            assert isinstance(scope, Run)
            scope.losses[given["data-loss"]] = int(given["data-v"])
        elif "data-table" in given:
            self._table = Table()
            (self.tables if scope is None else scope.tables)[given["data-table"]] = self._table
        elif tag == "tr" and self._table is not None:
            self._table.rows.append([])
        elif tag == "td" and self._table is not None:
            low = given.get("data-lo")
            self._cell = Cell(value=_number(given.get("data-v")), low=None if low is None else int(low))
            self._table.rows[-1].append(self._cell)
        elif tag == "th":
            self._title = ""
        elif isinstance(scope, View):
            scope.attributes.update({name: value for name, value in given.items() if name.startswith("data-")})

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self.open.pop() == tag, f"</{tag}> where another element is open"
        self._scopes.pop()
        if tag == "table" and self._table is not None:
            self._table.rows = [row for row in self._table.rows if row]
            self._table = None
        elif tag == "td":
            self._cell = None
        elif tag == "th" and self._title is not None and self._table is not None:
            self._table.titles.append(self._title)
            self._title = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell is not None:
            self._cell.text += data
        if self._title is not None:
            self._title += data


def _number(text: str | None) -> float | int | None:
    if text is None:
        return None
    return int(text) if text.lstrip("-").isdigit() else float(text)
