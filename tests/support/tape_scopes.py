"""Parts of the sums from `tape_sums`: selected rows, and rows summed by something. Plain Python, no module of
ebpftop.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from tests.support.tape_sums import Key, Step, Sums, View

# Traits that several processes share, from their descriptions on a tape.
TRAITS: dict[str, Callable[[dict[str, Any]], str]] = {
    "name": lambda process: process.get("comm", ""),
    "user": lambda process: process.get("user", ""),
    "parent": lambda process: f"{process.get('parent', '')} {process['ppid']}" if process.get("ppid") else "",
}
COLUMNS = {"process": "process", "syscall": "call", "errno": "error"}  # decoder → dimension
TITLED = (None, "", "string", "comm", "point", "user")  # decoders of columns that are identified by their titles


@dataclass(frozen=True)
class Chosen:
    """A value of a dimension; excluded: all values except this one."""

    dimension: str
    value: Any
    excluded: bool = False


def values(sums: Sums, info: dict[str, Any], row: dict[str, Any], dimension: str) -> list[Any] | None:
    """A row's values of a dimension; None if its view lacks the dimension."""
    columns = info.get("columns", [])
    if dimension == "function":
        if info["show"] != "stacks":
            return None
        return [sums.functions[each].get("name", "") for each in sums.stacks[row["stack"]]]
    found = [row[each["field"]] for each in columns if _is(each, dimension) and each["field"] in row]
    if dimension in TRAITS:
        people = [each["field"] for each in columns if each.get("decode") == "process" and each["field"] in row]
        known = (sums.processes.get(row[name]) for name in people)
        found += [TRAITS[dimension](each) if each else "" for each in known]
    return found or None


def _is(column: dict[str, Any], dimension: str) -> bool:
    """Whether a column's values belong to a dimension: by their decoder, else by the title."""
    if column.get("role", "key") != "key" or column.get("unit") or column.get("hidden"):
        return False
    decode = column.get("decode", "")
    return COLUMNS.get(decode) == dimension or (decode in TITLED and column["title"].lower() == dimension)


def holds(sums: Sums, info: dict[str, Any], row: dict[str, Any], chosen: list[Chosen]) -> bool:
    """Whether a row is selected."""
    for choice in chosen:
        found = values(sums, info, row, choice.dimension)
        if found is not None and (choice.value in found) is choice.excluded:
            return False
    return True


def narrowed(sums: Sums, chosen: list[Chosen]) -> Sums:
    """The same tape with only the selected rows and events."""
    if not chosen:
        return sums
    runs = {}
    for number, run in sums.runs.items():
        views = {name: _view(sums, view, chosen) for name, view in run.views.items()}
        by_map = {view.info["map"]: view.info for view in run.views.values()}
        told = {
            name: [event for event in every if holds(sums, by_map[name], event, chosen)]
            for name, every in run.events.items()
            if name in by_map
        }
        runs[number] = replace(run, views=views, events=told)
    return replace(sums, runs=runs)


def _view(sums: Sums, view: View, chosen: list[Chosen]) -> View:
    def kept(key: Key) -> bool:
        return holds(sums, view.info, dict(zip(view.keys, key, strict=True)), chosen)

    steps = [
        Step(
            step.end,
            step.realtime,
            {key: gains for key, gains in step.gains.items() if kept(key)},
            {key: gauges for key, gauges in step.gauges.items() if kept(key)},
        )
        for step in view.steps
    ]
    found = copy(view)
    found.steps = steps
    return found


def grouped(sums: Sums, view: View, by: str, start: int, end: int) -> dict[Any, Counter[Any]]:
    """The total gain of the rows with each value of a dimension: counters, for a histogram slots."""
    found: dict[Any, Counter[Any]] = defaultdict(Counter)
    for key, gains in view.gained(start, end).items():
        (value,) = values(sums, view.info, dict(zip(view.keys, key, strict=True)), by) or [None]
        found[value].update({key[-1]: gains[view.counters[0]]} if view.info["show"] == "histogram" else gains)
    return {value: +counts for value, counts in found.items() if +counts}


def below(sums: Sums, view: View, start: int, end: int) -> Counter[str]:
    """The gain of each process and all its descendants, in the counter by which the view is sorted: by path of names,
    as `init 1 / sh 1001`.
    """
    counter = view.info.get("sort") or view.counters[0]
    found: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for key, gains in view.gained(start, end).items():
        line = _line(sums, key[view.keys.index(view.process)])
        alone[" / ".join(line)] += gains[counter]
        for length in range(1, len(line) + 1):
            found[" / ".join(line[:length])] += gains[counter]
    for path, count in alone.items():
        if any(other.startswith(f"{path} / ") for other in [*alone]):
            found[f"{path} / (itself)"] = count
    return +found


def _line(sums: Sums, identity: int) -> list[str]:
    """A process's ancestors and itself, the eldest first."""
    process = sums.processes.get(identity)
    if identity == 0 or process is None:
        return ["(unknown)"]
    line = [f"{process['comm']} {process['tgid']}"]
    while process.get("ppid"):
        older = [
            each
            for each in sums.processes.values()
            if each["tgid"] == process["ppid"] and each["start_ns"] <= process["start_ns"] and each is not process
        ]
        if not older:
            line.append(f"{process['parent']} {process['ppid']}")
            break
        process = max(older, key=lambda each: each["start_ns"])
        line.append(f"{process['comm']} {process['tgid']}")
    return line[::-1]
