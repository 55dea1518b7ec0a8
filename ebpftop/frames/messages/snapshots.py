"""The counts of a run, as snapshots of its maps, and its events."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ebpftop.frames.messages.base import MANY, SOME, Frame, Text, Whole

FIRST = 1  # the number of a run's first snapshot: all it holds was counted since attaching


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """`rows × itemsize` bytes of one dtype (NumPy's name, little endian: "<u8", "<i4", "S16").

    With `labels` the data are "<u4" indices into them (a dictionary column). Labels are hostile text: show them inert.
    """

    dtype: str
    data: bytes
    labels: Annotated[list[Text], MANY] | None = None


Columns = Annotated[dict[str, Column], SOME]


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """Losses that a run's numbers don't include, cumulative since attaching.

    lost: events that a full ring buffer refused, or a slow consumer skipped. map_full: updates that a full map refused.
    evicted: keys that the kernel dropped from an LRU map. missed: program runs that the kernel skipped (recursion).
    """

    lost: Whole = 0
    map_full: Whole = 0
    evicted: Whole = 0
    missed: Whole = 0


class Snapshot(Frame, frozen=True, kw_only=True):
    """All displayed maps of one run at one moment. A consumer may skip any but the first and the last.

    seq: ascends from `FIRST` on. A reader whose first snapshot has a higher number, as on a part of a tape, takes it as
    a base: its values were counted earlier.
    """

    run: int
    seq: Whole
    realtime_ns: Whole
    monotonic_ns: Whole
    boottime_ns: Whole
    maps: Annotated[dict[str, Columns], SOME]
    losses: Losses = Losses()


class RowChanges(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the rows of one map changed, in this order: `labels` become known, the rows `gone` are removed, `gains`
    change values of the rows `at`, and the rows `born` are appended.

    types: of all columns, in a key change. gone, at: ascending row numbers, each as the distance from the previous one
    (from -1). gains: the increase of a column of integers, otherwise the new values; `at` names a row for each. Columns
    of texts hold label numbers, which are counted from the last key change on.
    """

    types: Annotated[dict[str, str], SOME] = {}
    labels: Annotated[dict[str, Annotated[list[Text], MANY]], SOME] = {}
    gone: Column | None = None
    at: Column | None = None
    gains: Columns = {}
    born: Columns = {}


class Changes(Frame, frozen=True, kw_only=True):
    """A snapshot as stored on sockets and tapes (`frames.changes`): its difference from the previous one, or all of it
    in a `key` change. Maps that did not change are left out.
    """

    run: int
    seq: Whole
    realtime_ns: Whole
    monotonic_ns: Whole
    boottime_ns: Whole
    key: bool
    rows: Annotated[dict[str, RowChanges], SOME]
    losses: Losses = Losses()


class Events(Frame, frozen=True, kw_only=True):
    """Records drained from one ring buffer since the last such frame, oldest first. Never skipped silently."""

    run: int
    map: str
    columns: Columns
    count: Whole
    losses: Losses = Losses()
