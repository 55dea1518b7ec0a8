"""Reconstructs snapshots from the changes on sockets and tapes (`frames.changes`)."""

from __future__ import annotations

import numpy as np
from msgspec import structs

from ebpftop.frames.change_rows import Rows, from_gaps, raw, unpacked
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import ALLOWED, CODES, Array
from ebpftop.frames.messages import AnyFrame, Changes, Columns, Detached, Hello, RowChanges, Snapshot, Written

BYTES = 64 << 20  # of the columns of one run; no snapshot may be larger
_SHARED = ("run", "seq", "realtime_ns", "monotonic_ns", "boottime_ns", "losses")


class Received(Snapshot, frozen=True, kw_only=True, eq=False, tag="snapshot"):
    """A snapshot and the change that it came as, so that it can be stored without comparing again. It equals any
    snapshot with the same values.

    came: the difference from the previous one. rows: the rows of all maps after it.
    """

    came: Changes
    rows: dict[str, Rows]

    def key(self) -> Changes:
        """All of it as a key change; the following changes fit unmodified."""
        return structs.replace(self.came, key=True, rows={name: rows.whole() for name, rows in self.rows.items()})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Snapshot.__struct_fields__)

    __hash__ = None  # type: ignore[assignment]  # as that of any snapshot, which holds dictionaries


class ChangeReader:
    """Reconstructs frames from their written form, in order."""

    def __init__(self) -> None:
        self._runs: dict[int, dict[str, Rows]] = {}

    def read(self, frame: Written) -> AnyFrame:
        """The original frame. Raises `BadFrame` if a change doesn't fit its predecessor."""
        match frame:
            case Hello():
                self._runs = {}
            case Detached():
                self._runs.pop(frame.run, None)
            case Changes():
                return self._snapshot(frame)
        return frame

    def _snapshot(self, frame: Changes) -> Snapshot:
        maps = self._runs.setdefault(frame.run, {})
        if frame.key:
            maps.clear()
        for name, change in frame.rows.items():
            if frame.key:
                maps[name] = _begun(change)
            elif name not in maps:
                raise BadFrame("a change of a map that is not known")
            _apply(maps[name], change)
        size = sum(array.nbytes for rows in maps.values() for array in rows.arrays.values())
        size += sum(rows.texts for rows in maps.values())
        if size > 2 * BYTES:
            raise BadFrame(f"the rows of a run take {size:,} bytes")
        return Received(
            maps={name: rows.columns() for name, rows in maps.items()},
            came=frame,
            rows={name: rows.still() for name, rows in maps.items()},
            **{name: getattr(frame, name) for name in _SHARED},
        )


def _begun(change: RowChanges) -> Rows:
    for dtype in change.types.values():
        if not ALLOWED.fullmatch(dtype):
            raise BadFrame(f"a column has the type {dtype[:20]!r}")
    if any(change.types.get(name) != CODES.str for name in change.labels):
        raise BadFrame("a column of texts has another type than its codes")
    arrays = {name: np.empty(0, raw(np.dtype(dtype))) for name, dtype in change.types.items()}
    return Rows(dict(change.types), arrays, {name: [] for name in change.labels})


def _apply(rows: Rows, change: RowChanges) -> None:
    gone = from_gaps(change.gone, rows.count)
    at = from_gaps(change.at, rows.count - len(gone))
    for name, words in change.labels.items():
        if name not in rows.labels:
            raise BadFrame(f"labels of the column {name[:20]!r}, which has none")
        rows.labels[name] += words
        rows.texts += sum(57 + len(text) for text in words)
    born = _of_all(rows, change.born, None)
    gains = _of_all(rows, change.gains, len(at))
    if born and len(born) != len(rows.arrays):
        raise BadFrame("a born row lacks a column")
    rows.remove(gone)
    rows.add(at, gains)
    rows.append(born)
    for name, words in rows.labels.items():
        if len(rows.arrays[name]) and int(rows.arrays[name].max()) >= len(words):
            raise BadFrame(f"column {name[:20]!r} names a label beyond {len(words):,}")


def _of_all(rows: Rows, columns: Columns, count: int | None) -> dict[str, Array]:
    """The known columns, as arrays of one length."""
    arrays: dict[str, Array] = {}
    for name, column in columns.items():
        if name not in rows.arrays:
            raise BadFrame(f"a change of the column {name[:20]!r}, which is not known")
        arrays[name] = unpacked(column, rows.arrays[name].dtype)
        count = len(arrays[name]) if count is None else count
        if len(arrays[name]) != count:
            raise BadFrame(f"column {name[:20]!r} of a change has {len(arrays[name]):,} rows, not {count:,}")
    return arrays
