"""Finds the rows about ebpftop's own processes: rankings leave them out, lists mark them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ebpftop.frames.columns import Array, Values
from ebpftop.frames.messages import ColumnInfo, Process


def own_rows(
    infos: Sequence[ColumnInfo], keys: Mapping[str, Values], count: int, processes: Mapping[int, Process]
) -> Array:
    """A mask of `count` rows: True where any process among a row's keys is ebpftop's."""
    found = np.zeros(count, bool)
    for info in infos:
        values = keys.get(info.field) if info.is_process else None
        if isinstance(values, np.ndarray):
            ours = [number for number in np.unique(values).tolist() if (one := processes.get(number)) and one.own]
            if ours:
                found |= np.isin(values, ours)
    return found


def leaves_out(params: Mapping[str, str]) -> bool:
    """Whether a run's rankings leave ebpftop out by default: not if the user chose one process,
    which may be ebpftop.
    """
    return "pid" not in params
