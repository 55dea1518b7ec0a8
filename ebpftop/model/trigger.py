"""Triggers as users write them: `runqlat p99 > 20ms for 3s`.

    PROBE[.VIEW] MEASURE[("WORDS")] [COLUMN] OP NUMBER[UNIT] [for TIME]

- `p50`, `p99.9`, `max`: a percentile of a histogram, of the last interval.
- `rate`: how much a second: of a histogram's values, of events, of a table's COLUMN (by default the one that sorts it).
- `count`: as `rate`, but how many, added up over the TIME.
- `lost`, `map_full`, `evicted`, `missed`: losses, added up over the TIME.
- `total`: of call stacks that hold values of the moment.
- the name of any other column: its greatest value, or with `<` its least.

OP is `>`, `>=`, `<` or `<=`. What isn't added up must stay beyond the limit for the TIME. WORDS choose the rows or
events that hold all of them, as a filter does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ebpftop.base.inert import quoted
from ebpftop.base.nearest import nearest
from ebpftop.base.query import words_of
from ebpftop.frames.messages import ColumnInfo, ViewInfo

Kind = Literal["percentile", "rate", "gauge", "total", "count", "loss"]
ADDED_UP: tuple[Kind, ...] = ("count", "loss")
LONGEST = 3600.0  # seconds of a TIME
LOSSES = ("lost", "map_full", "evicted", "missed")

_TIME = {"ns": 1.0, "us": 1e3, "\u00b5s": 1e3, "\u03bcs": 1e3, "ms": 1e6, "s": 1e9, "min": 60e9, "h": 3600e9}
_BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}
_PLAIN = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
_CPU = {"%": 1e7, **_TIME}  # a percentage of one CPU, or time a second
_UNITS = {"ns": _TIME, "cpu_ns": _CPU, "bytes": _BYTES, "percent": {"": 1.0, "%": 1.0}}

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?)")
_PROBE = re.compile(r"[\w-]+(?:/[\w-]+)?")
_NAME = re.compile(r"[^\W\d][\w.]*")
_OP = re.compile(r"[<>]=?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_UNIT = re.compile(r"(?!for\b)[A-Za-z\u00b5\u03bc%]+")
_TEXT = re.compile(r"\(\s*(?:\"([^\"]*)\"|'([^']*)')\s*\)")
_SPACE = re.compile(r"\s*")


class BadTrigger(ValueError):
    """What is wrong with a trigger, in one line."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A parsed trigger. view, column: "" if not given. seconds: 0 if no time is given."""

    text: str
    probe: str
    view: str
    measure: str
    words: tuple[str, ...]
    column: str
    op: str
    number: float
    unit: str
    per_second: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Condition:
    """A trigger bound to a probe's views. field: the measured column, or kind of loss. unit: of the values compared
    with `limit`, as in a manifest. quantile: 0 to 1, of a percentile.
    """

    trigger: Trigger
    kind: Kind
    view: ViewInfo | None
    field: str
    unit: str
    limit: float
    quantile: float = 0.0


# ---------------------------------------------------------------- reading


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Take the next token, if it is of this kind."""
        self.skip()
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def follows(self, text: str) -> bool:
        """Whether this comes next, without a space before it."""
        if not self.text.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def skip(self) -> None:
        space = _SPACE.match(self.text, self.at)
        self.at = space.end() if space else self.at

    def wants(self, what: str) -> BadTrigger:
        self.skip()
        before, rest = self.text[: self.at].rstrip(), self.text[self.at :].split()
        place = f"after {quoted(before)}" if before else "at the beginning"
        return BadTrigger(f"{place}: expected {what}, " + (f"not {quoted(rest[0])}" if rest else "which is missing"))


def parse(text: str) -> Trigger:
    """Parse a trigger. Raises `BadTrigger`."""
    scan = _Scanner(" ".join(text.split()))
    probe = scan.take(_PROBE)
    if probe is None:
        raise scan.wants("the name of a probe")
    view = ""
    if scan.follows("."):
        named = scan.take(_NAME)
        if named is None:
            raise scan.wants("the name of a view")
        view = named[0]
    measure = scan.take(_NAME)
    if measure is None:
        raise scan.wants("what to measure: p99, rate, count, lost or a column")
    words: tuple[str, ...] = ()
    scan.skip()
    if scan.text.startswith("(", scan.at):
        filtered = scan.take(_TEXT)
        if filtered is None:
            raise scan.wants('words in quotes and a closing bracket, as in ("curl")')
        words = tuple(words_of(filtered[1] or filtered[2] or ""))
        if not words:
            raise BadTrigger(f"{measure[0]}: the words in brackets are missing")
    column = scan.take(_NAME)
    op = scan.take(_OP)
    if op is None:
        raise scan.wants(">, >=, < or <=")
    number = scan.take(_NUMBER)
    if number is None:
        raise scan.wants("a number")
    unit = scan.take(_UNIT)
    per_second = scan.follows("/s")
    seconds = _seconds(scan) if scan.take(re.compile(r"for\b")) else 0.0
    scan.skip()
    if scan.at < len(scan.text):
        raise scan.wants("'for' and a time, or the end")
    return Trigger(
        text=scan.text,
        probe=probe[0],
        view=view,
        measure=measure[0],
        words=words,
        column=column[0] if column else "",
        op=op[0],
        number=float(number[0]),
        unit=unit[0] if unit else "",
        per_second=per_second,
        seconds=seconds,
    )


def _seconds(scan: _Scanner) -> float:
    number = scan.take(_NUMBER)
    if number is None:
        raise scan.wants("a time such as 3s")
    unit = scan.take(_UNIT)
    seconds = float(number[0]) * _scale(_TIME, unit[0] if unit else "", number[0]) / 1e9
    if not 0 < seconds <= LONGEST:
        given = quoted(f"{number[0]}{unit[0] if unit else ''}", 20)
        raise BadTrigger(f"a time must be more than 0 s and at most {LONGEST:g} s, not {given}")
    return seconds


def _scale(units: dict[str, float], unit: str, number: str) -> float:
    if unit in units:
        return units[unit]
    known = ", ".join(name for name in units if name not in ("", "us", "\u03bcs", "K"))
    if not unit:
        raise BadTrigger(f"{number} needs a unit: {known}")
    raise BadTrigger(f"{number}{unit}: unknown unit {quoted(unit)}; known here: {known}")


# ---------------------------------------------------------------- fitting it to a probe


def bind(trigger: Trigger, views: Sequence[ViewInfo]) -> Condition:
    """Bind the trigger to a probe with these views. Raises `BadTrigger`, with the nearest names."""
    measure = trigger.measure
    if measure in LOSSES:
        _no(trigger.words, f"{measure} has no rows to choose by words")
        _no(trigger.column or trigger.view, f"{measure} is for the whole probe")
        return _condition(trigger, "loss", None, measure, "")
    if _PERCENTILE.fullmatch(measure) or measure == "max":
        return _percentile(trigger, views)
    if measure in ("rate", "count", "total"):
        return _amount(trigger, views)
    view = _view(trigger, views, lambda view: measure in _gauges(view), f"column {quoted(measure)}", _known(views))
    _no(trigger.column, f"{measure} is a column itself")
    column = next(each for each in view.columns if each.field == measure)
    return _condition(trigger, "gauge", view, measure, column.unit)


def _percentile(trigger: Trigger, views: Sequence[ViewInfo]) -> Condition:
    measure = trigger.measure
    view = _view(trigger, views, lambda view: view.show == "histogram", f"histogram for {measure}", _known(views))
    _no(trigger.column, f"{measure} is for histograms, which have no columns")
    quantile = 1.0 if measure == "max" else round(float(measure[1:]) / 100, 6)
    return _condition(trigger, "percentile", view, view.count, view.unit, quantile)


def _amount(trigger: Trigger, views: Sequence[ViewInfo]) -> Condition:
    measure = trigger.measure
    if measure == "total":
        view = _view(trigger, views, lambda view: view.gauge, "call stacks with a gauge", _known(views))
        return _condition(trigger, "total", view, view.count, view.unit)

    def counts(view: ViewInfo) -> bool:
        if trigger.column:
            return view.show == "table" and trigger.column in view.counters
        return not view.gauge and (view.show != "table" or bool(view.counters))

    what = f"counter {quoted(trigger.column)}" if trigger.column else "view that counts"
    counters = [name for view in views for name in view.counters]
    view = _view(trigger, views, counts, what, counters, trigger.column)
    kind: Kind = "rate" if measure == "rate" else "count"
    if view.show != "table":
        unit = view.unit if view.show == "stacks" else ""
        return _condition(trigger, kind, view, view.count, unit)
    sorting = view.sort if view.sort in view.counters else view.counters[0]
    field = trigger.column or sorting or ""
    unit = next((each.unit for each in view.columns if each.field == field), "")
    return _condition(trigger, kind, view, field, unit)


def _condition(
    trigger: Trigger, kind: Kind, view: ViewInfo | None, field: str, unit: str, quantile: float = 0.0
) -> Condition:
    if trigger.per_second and kind != "rate":
        raise BadTrigger(f"{trigger.measure} is not a rate: give the limit without /s")
    if unit == "cpu_ns" and kind != "rate":
        unit = "ns"
    number = f"{trigger.number:g}"
    limit = trigger.number * _scale(_UNITS.get(unit, _PLAIN), trigger.unit, number)
    if not math.isfinite(limit):
        raise BadTrigger("the number is too large")
    return Condition(trigger, kind, view, field, unit, limit, quantile)


def _view(
    trigger: Trigger,
    views: Sequence[ViewInfo],
    fits: Callable[[ViewInfo], bool],
    what: str,
    known: Iterable[str],
    wanted: str = "",
) -> ViewInfo:
    """The first view that fits, or the named one."""
    named = [view for view in views if trigger.view in ("", _word(view.name), view.map)]
    if not named:
        names = [_word(view.name) for view in views]
        raise BadTrigger(
            f"{trigger.probe} has no view {quoted(trigger.view)}{nearest(trigger.view, names) or _listed(names)}"
        )
    for view in named:
        if fits(view):
            return view
    where = f"{trigger.probe}.{trigger.view}" if trigger.view else trigger.probe
    names = list(dict.fromkeys(known))
    raise BadTrigger(f"{where} has no {what}{nearest(wanted or trigger.measure, names) or _listed(names)}")


def _word(name: str) -> str:
    return name.casefold().replace(" ", "_")


def _gauges(view: ViewInfo) -> list[str]:
    shown = view.columns if view.show in ("table", "events") else []
    return [each.field for each in shown if each.role == "gauge" and _is_number(each)]


def _is_number(column: ColumnInfo) -> bool:
    return column.decode is None


def _known(views: Sequence[ViewInfo]) -> list[str]:
    """What can be measured."""
    names: list[str] = []
    for view in views:
        names += ["p50", "p90", "p99", "max"] if view.show == "histogram" else []
        names += ["total"] if view.gauge else ["rate", "count"]
        names += _gauges(view)
    return [*dict.fromkeys(names), *LOSSES]


def _listed(names: Sequence[str]) -> str:
    return f"; it has {', '.join(names)}" if names else ""


def _no(given: object, why: str) -> None:
    if given:
        raise BadTrigger(why)
