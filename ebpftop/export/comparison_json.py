"""Two compared spans as one JSON value."""

from __future__ import annotations

import math
from typing import Any

from ebpftop.model.comparing.number import Number, Pair
from ebpftop.model.comparing.sessions import Comparison, RunComparison
from ebpftop.model.comparing.stacks import StacksComparison
from ebpftop.model.comparing.view import ViewComparison
from ebpftop.model.report_columns import key_columns
from ebpftop.stats.slots import bounds


def as_json(comparison: Comparison, sides: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    """sides: the facts about the spans. Rates are per second. Numbers are null if there was nobody or nothing to count;
    `changed` is null if the spans are too short for a test, and for a percentile without values. Rows are those that
    changed most. `others` are the remaining ones, each of which gained less. `by`: the dimension by which rows are
    summed, and events counted. Values of the moment are the last of a span, and as `NAME.max` the greatest; they aren't
    tested, and neither are functions of call stacks. Functions have the percentages of each span's stacks that end in
    them (`own`) or contain them.
    """
    return {
        "before": sides[0],
        "after": sides[1],
        "differences": comparison.differences,
        "only_before": [probe for probe, side in comparison.only if side == 0],
        "only_after": [probe for probe, side in comparison.only if side == 1],
        "probes": [_run(run) for run in comparison.runs],
    }


def _run(run: RunComparison) -> dict[str, Any]:
    return {
        "probe": run.probe,
        "differences": run.differences,
        "views": {
            **{view.view.name: view_as_json(view) for view in run.views},
            **{stacks.view.name: _stacks(stacks) for stacks in run.stacks},
        },
    }


def _stacks(found: StacksComparison) -> dict[str, Any]:
    return {
        "kind": "stacks",
        "unit": found.view.unit,
        "seconds": found.seconds,
        "values": (found.paths.total_before, found.paths.total),
        "functions": [
            {
                "function": each.frame.label,
                "module": each.frame.origin,
                "side": each.frame.side,
                "own": {"before": each.own[0], "after": each.own[1]},
                "total": {"before": each.total[0], "after": each.total[1]},
            }
            for each in found.functions()
        ],
    }


def view_as_json(view: ViewComparison) -> dict[str, Any]:
    """One view of `as_json`."""
    found: dict[str, Any] = {
        "kind": view.view.show,
        "unit": view.view.unit,
        "seconds": view.seconds,
        "steps": view.steps,
        "rows": _rows(view),
        "others": view.others,
    }
    if view.by is not None:
        found["by"] = view.by.title
    if view.histograms is not None:
        found["whole"] = {number.name: _number(number, 0) for number in view.whole}
        found["buckets"] = buckets(view)
    return found


def buckets(view: ViewComparison) -> list[tuple[int, int, int, int]]:
    """(lo, hi, values before, values after) of each slot with values."""
    assert view.histograms is not None
    before, after = view.histograms
    both = before.merge(after)
    counts = [dict(zip(each.slots.tolist(), each.counts.tolist(), strict=True)) for each in (before, after)]
    edges = [bounds(slot) for slot in both.slots.tolist()]
    return [
        (*edge, counts[0].get(slot, 0), counts[1].get(slot, 0))
        for edge, slot in zip(edges, both.slots.tolist(), strict=True)
    ]


def _rows(view: ViewComparison) -> list[dict[str, Any]]:
    labels = key_columns(view.columns, view.keys, view.processes)
    return [
        {
            "labels": {label.shown.name: label.values[row] for label in labels},
            "numbers": {number.name: _number(number, row) for number in view.numbers},
        }
        for row in view.order().tolist()
    ]


def _number(number: Number, row: int) -> dict[str, Any]:
    before, after = (_value(number, pair, row) for pair in (number.before, number.after))
    comparable = number.rate or None not in (before, after)
    return {
        "before": before,
        "after": after,
        "changed": bool(number.changed[row]) if number.chance is not None and comparable else None,
    }


def _value(number: Number, pair: Pair, row: int) -> Any:
    """A rate, a value of the moment, or the bounds of a percentile."""
    lo, hi = float(pair[0][row]), float(pair[1][row])
    if math.isnan(lo):
        return None
    return lo if number.rate or number.gauge else [int(lo), int(hi)]
