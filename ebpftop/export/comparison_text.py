"""Two compared spans as text."""

from __future__ import annotations

from datetime import datetime
from io import StringIO
from typing import Any, TextIO

from ebpftop.base.inert import inert
from ebpftop.export import layout
from ebpftop.model.comparing import words
from ebpftop.model.comparing.number import Number
from ebpftop.model.comparing.sessions import Comparison, RunComparison
from ebpftop.model.comparing.stacks import StacksComparison
from ebpftop.model.comparing.view import ViewComparison
from ebpftop.model.report_columns import key_columns
from ebpftop.stats import formatting
from ebpftop.stats.histogram import Histogram

_BUCKETS, _ROWS = 16, 12  # lines
_NO_TERMINAL = 80
_SIDES = ("before", "after")


def write(comparison: Comparison, sides: tuple[dict[str, Any], dict[str, Any]], out: TextIO) -> None:
    """sides: the facts about the spans."""
    _Writer(out).comparison(comparison, sides)


def view_as_text(view: ViewComparison) -> str:
    """One view of `write`."""
    out = StringIO()
    _Writer(out).view(view)
    return out.getvalue()


class _Writer:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._width = layout.terminal_width(out)
        self._bars = layout.bars_for(out)

    def comparison(self, comparison: Comparison, sides: tuple[dict[str, Any], dict[str, Any]]) -> None:
        for name, side in zip(_SIDES, sides, strict=True):
            self._line(f"{layout.left(name, 6)}  {_side(side)}")
        for line in comparison.differences:
            self._line(line)
        for probe, side_of in comparison.only:
            self._line(f"{inert(probe)}: not compared, only {_SIDES[side_of]}")
        for run in comparison.runs:
            self._run(run)
        if not comparison.runs:
            self._line("no probe ran in both")

    def _line(self, text: str = "") -> None:
        self._out.write(text.rstrip() + "\n")

    def _run(self, run: RunComparison) -> None:
        self._line()
        self._line(inert(run.probe))
        for line in run.differences:
            self._line(f"  {line}")
        for view in run.views:
            self._line()
            self.view(view)
        for stacks in run.stacks:
            self._line()
            self._functions(stacks)

    def view(self, view: ViewComparison) -> None:
        shown = view.order()
        shown = shown[~view.own[shown]]
        by = f" by {inert(view.by.title)}" if view.by else ""
        self._line(f"{inert(view.view.title)}{by}: {words.verdict(view)}")
        if words.is_empty(view):
            return
        if view.whole:
            self._whole(view.whole)
        if view.histograms is not None:
            self._histograms(view.view.unit, *view.histograms)
        if len(shown):
            self._rows(view, shown)

    def _functions(self, found: StacksComparison) -> None:
        """The functions whose share grew most, and those whose share shrank most."""
        listed = found.functions()
        rows = listed if len(listed) <= _ROWS else [*listed[: _ROWS // 2], *listed[-_ROWS // 2 :]]
        self._line(f"{inert(found.view.title)}: shares of functions, largest growth first")
        columns = [layout.Column("function", [inert(each.frame.label) for each in rows], False)]
        for name, pairs in (("own", [each.own for each in rows]), ("total", [each.total for each in rows])):
            columns += [
                layout.Column(f"{name} before", [formatting.percent(before) for before, _ in pairs], True),
                layout.Column("after", [formatting.percent(after) for _, after in pairs], True),
                layout.Column("change", [words.points(after - before) for before, after in pairs], True),
            ]
        self._grid([*columns, layout.Column("module", [inert(each.frame.origin) for each in rows], False)])
        if len(listed) > len(rows):
            self._line(f"… and {formatting.count(len(listed) - len(rows))} in between")

    def _whole(self, numbers: list[Number]) -> None:
        columns = [
            layout.Column("", [words.title(number) for number in numbers], False),
            *_columns_of([(number, 0) for number in numbers], ""),
        ]
        self._grid(columns)

    def _histograms(self, unit: str, before: Histogram, after: Histogram) -> None:
        """The shares of both spans, on the same lines."""
        lines = before.merge(after).rows(_BUCKETS)
        shares = [words.shares(each, [lo for lo, _, _ in lines]) for each in (before, after)]
        most = max(max(each, default=0) for each in shares) or 1
        labels = [formatting.bounds(lo, hi, unit) for lo, hi, _ in lines]
        texts = [[formatting.percent(100 * share) for share in each] for each in shares]
        left = max(map(layout.cells, labels), default=0)
        room = max(1, ((self._width or _NO_TERMINAL) - left - 2 * 10) // 2)
        for label, *pair in zip(labels, *texts, *shares, strict=True):
            bars = [layout.left(layout.bar(share / most * room, self._bars), room) for share in pair[2:]]
            cells = [f"{layout.right(text, 6)}  {bar}" for text, bar in zip(pair[:2], bars, strict=True)]
            self._line(f"{layout.right(label, left)}  {'  '.join(cells)}")

    def _rows(self, view: ViewComparison, shown: Any) -> None:
        rows = shown[:_ROWS].tolist()
        labels = key_columns(view.columns, view.keys, view.processes)
        columns = [
            layout.Column(inert(each.shown.title), [_label(each.values[row]) for row in rows], each.shown.name == "pid")
            for each in labels
        ]
        for number in view.numbers:
            columns += _columns_of([(number, row) for row in rows], words.title(number))
        self._grid(columns)
        if len(shown) > len(rows):
            self._line(f"… and {formatting.count(len(shown) - len(rows))} more")

    def _grid(self, columns: list[layout.Column]) -> None:
        for line in layout.grid(columns, self._width):
            self._line(line)


def _side(side: dict[str, Any]) -> str:
    times = [datetime.fromtimestamp(side[end] / 1e9) for end in ("from_ns", "to_ns")]
    length = formatting.duration(side["to_ns"] - side["from_ns"])
    facts = [side["tape"], side["host"], side["kernel"], f"{times[0]:%Y-%m-%d %H:%M:%S} to {times[1]:%H:%M:%S}", length]
    return " · ".join(inert(str(fact)) for fact in facts if fact)


def _columns_of(cells: list[tuple[Number, int]], title: str) -> list[layout.Column]:
    """Before, after and change of numbers, one number a line."""
    before = [words.text(number, number.before, row) for number, row in cells]
    after = [words.text(number, number.after, row) for number, row in cells]
    change = [words.change(number, row) for number, row in cells]
    return [
        layout.Column(f"{title} before".strip(), before, True),
        layout.Column("after", after, True),
        layout.Column("change", change, True),
    ]


def _label(value: Any) -> str:
    return "–" if value is None else inert(str(value))
