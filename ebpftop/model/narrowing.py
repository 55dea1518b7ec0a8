"""The rows of a view that are selected."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values, equal
from ebpftop.frames.messages import Process, ViewInfo
from ebpftop.frames.stacks import STACK, KnownStacks
from ebpftop.model.dimensions import CGROUP, FUNCTION, Source, function_key, keys_of, sources, trait
from ebpftop.model.events import EventLog
from ebpftop.model.selection import Choice, Selection

Read = Callable[[str], Values]  # the values of a field, one a row


def selected_rows(
    selection: Selection,
    view: ViewInfo,
    columns: Read,
    count: int,
    *,
    stacks: KnownStacks | None = None,
    others: Array | None = None,
) -> Array | None:
    """A mask of `count` rows of a view; None if nothing narrows it. others: rows that stand for several with different
    values.
    """
    found: Array | None = None
    known = sources(view) if selection else []
    for choice in selection.choices:
        mine = [source for source in known if source.dimension == choice.dimension]
        if not mine:
            continue
        held = np.zeros(count, bool)
        for source in mine:
            held |= _held(choice, source, columns(source.field or STACK), selection.processes, stacks)
        if others is not None:
            held &= ~others
        held ^= choice.excluded
        found = held if found is None else found & held
    return found


def _held(
    choice: Choice, source: Source, values: Values, processes: Mapping[int, Process], stacks: KnownStacks | None
) -> Array:
    if source.dimension == FUNCTION:
        return _through(str(choice.value), values, stacks)
    values = read(source, values, processes)
    texts = isinstance(values, Labels)
    if isinstance(choice.value, str) is not texts or (isinstance(values, np.ndarray) and values.dtype.kind == "S"):
        return np.zeros(len(values), bool)
    if isinstance(values, Labels) and choice.dimension == CGROUP and len(str(choice.value)) > 1:
        return _below(str(choice.value), values)
    return equal(values, choice.value)


def _below(path: str, values: Labels) -> Array:
    """A mask of the cgroups with this path; if it ends in a slash, of that one and all below it."""
    if not path.endswith("/"):
        return equal(values, path)
    held = np.array([each == path[:-1] or each.startswith(path) for each in values.labels], bool)
    return held[values.codes]


def _through(key: str, values: Values, stacks: KnownStacks | None) -> Array:
    """A mask of the stacks that contain a function."""
    if stacks is None or isinstance(values, Labels):
        return np.zeros(len(values), bool)
    numbers, at = np.unique(values, return_inverse=True)
    found = stacks.lookup(numbers.tolist())
    wanted = np.array([function_key(each.name, each.module, each.side) == key for each in stacks.functions], bool)
    held = np.array([bool(wanted[places].any()) for places in found], bool)
    return held[at]


def selected_events(selection: Selection, view: ViewInfo, log: EventLog, shown: range) -> Array:
    """The selected and still kept ones among these numbers of events, ascending."""
    found = [np.zeros(0, np.int64)]
    number = max(shown.start, log.total - log.kept)
    for chunk in log.since(number):
        count = len(next(iter(chunk.values())))
        mask = selected_rows(selection, view, chunk.__getitem__, count)
        found.append(number + (np.arange(count) if mask is None else np.flatnonzero(mask)))
        number += count
    numbers = np.concatenate(found)
    return numbers[numbers < shown.stop]


def read(source: Source, values: Values, processes: Mapping[int, Process]) -> Values:
    """A dimension's values, read from those of its field; an unknown trait is ""."""
    if not source.trait or isinstance(values, Labels):
        return values
    identities, at = np.unique(values, return_inverse=True)
    labels: dict[str, int] = {}
    each = (trait(source.trait, identity, processes) for identity in identities.tolist())
    codes = np.array([labels.setdefault(text, len(labels)) for text in each], np.int64)
    return Labels(codes[at], [*labels])


def row_of(view: ViewInfo, keys: Mapping[str, Values], row: int) -> dict[str, int | str]:
    """The key fields of one row, those that are numbers or texts."""
    found: dict[str, int | str] = {}
    for column in keys_of(view):
        values = keys.get(column.field)
        if isinstance(values, Labels):
            found[column.field] = values.at(row)
        elif values is not None and values.dtype.kind in "iub":
            found[column.field] = int(values[row])
    return found
