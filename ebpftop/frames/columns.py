"""Conversion between a frame's columns and NumPy arrays, without copying; columns from a tape are validated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.distinct import distinct
from ebpftop.frames.messages import Column, Columns

Array = npt.NDArray[Any]

ALLOWED = re.compile(r"[<|]?(?:[ui][1248]|f[48]|b1|S[1-9][0-9]{0,3})")
CODES = np.dtype("<u4")


@dataclass(frozen=True, slots=True)
class Labels:
    """A dictionary column: `codes` (rows, unsigned) index `labels`. Labels are hostile text: show them inert."""

    codes: Array
    labels: list[str]

    def __len__(self) -> int:
        return len(self.codes)

    def texts(self) -> list[str]:
        """The label of every row."""
        labels = self.labels
        return [labels[code] for code in self.codes.tolist()]

    def at(self, row: int) -> str:
        """The label of one row."""
        return self.labels[int(self.codes[row])]

    def take(self, rows: Array) -> Labels:
        """The same labels for the given rows: indices or a mask."""
        return Labels(self.codes[rows], self.labels)


Values = Array | Labels


def take(values: Values, rows: Array) -> Values:
    """Some rows of a column: indices or a mask."""
    return values.take(rows) if isinstance(values, Labels) else values[rows]


def equal(values: Values, wanted: int | str) -> Array:
    """A mask of the rows with this number or label."""
    if isinstance(values, Labels):
        return np.isin(values.codes, [code for code, label in enumerate(values.labels) if label == wanted])
    return np.asarray(values == wanted)


def pack(columns: Mapping[str, Values | Column]) -> Columns:
    """Columns for a frame. Arrays are one-dimensional; a `Column` is returned unchanged."""
    return {name: values if isinstance(values, Column) else _pack_one(values) for name, values in columns.items()}


def _pack_one(values: Values) -> Column:
    if isinstance(values, Labels):
        return Column(dtype=CODES.str, data=values.codes.astype(CODES, copy=False).tobytes(), labels=values.labels)
    little = values.dtype.newbyteorder("<")
    if not ALLOWED.fullmatch(little.str) or values.ndim != 1:
        raise ValueError(f"a column can't be {values.ndim}-dimensional {values.dtype}")
    return Column(dtype=little.str, data=values.astype(little, copy=False).tobytes())


def intern(texts: Array) -> Column:
    """A dictionary column from one text per row: str objects, `U`, or `S` (C strings, ending at the first NUL).

    Bytes that aren't UTF-8 become escapes (`\\xff`).
    """
    return labelled(texts, _c_text if texts.dtype.kind == "S" else _text)


def labelled(values: Array, label: Callable[[Any], str]) -> Column:
    """A dictionary column. Each distinct value, a number or a text, is labelled once; equal labels become one."""
    examples, codes = distinct(values)
    numbers: dict[str, int] = {}
    merged = [numbers.setdefault(label(value), len(numbers)) for value in values[examples].tolist()]
    if len(numbers) < len(merged):
        codes = np.array(merged, CODES)[codes]
    return Column(dtype=CODES.str, data=codes.astype(CODES, copy=False).tobytes(), labels=[*numbers])


def _c_text(value: bytes) -> str:
    return (value if b"\0" not in value else value.partition(b"\0")[0]).decode("utf-8", "backslashreplace")


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()


def unpack(columns: Columns) -> dict[str, Values]:
    """Read-only arrays over the frame's own bytes; dictionary columns as `Labels`.

    Raises `BadFrame` for a dtype other than numbers or fixed-size bytes, columns of different lengths, codes without a
    label, and more labels than rows.
    """
    result: dict[str, Values] = {}
    rows: int | None = None
    for name, column in columns.items():
        if not ALLOWED.fullmatch(column.dtype):
            raise BadFrame(f"column {name!r} has the type {column.dtype[:20]!r}")
        dtype = np.dtype(column.dtype)
        if len(column.data) % dtype.itemsize:
            raise BadFrame(f"column {name!r} has {len(column.data):,} bytes, not a multiple of {dtype.itemsize}")
        array = np.frombuffer(column.data, dtype)
        if rows is not None and len(array) != rows:
            raise BadFrame(f"column {name!r} has {len(array):,} rows where the others have {rows:,}")
        rows = len(array)
        result[name] = array if column.labels is None else _labels(name, array, column.labels)
    return result


def _labels(name: str, codes: Array, labels: list[str]) -> Labels:
    if codes.dtype != CODES:
        raise BadFrame(f"column {name!r} has labels but the type {codes.dtype}")
    if len(codes) and int(codes.max()) >= len(labels):
        raise BadFrame(f"column {name!r} names label {int(codes.max()):,} of {len(labels):,}")
    if len(labels) > max(1, len(codes)):
        raise BadFrame(f"column {name!r} has {len(labels):,} labels for {len(codes):,} rows")
    return Labels(codes, labels)
