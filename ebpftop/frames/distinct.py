"""The distinct values of a column, without sorting texts: a hash of each row is sorted instead, and then verified."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_WORD = np.dtype("<u8")
# Odd, and unknown to whoever chooses the texts. numpy.random would take 5 MiB for them.
_FACTORS = np.frombuffer(os.urandom(1024 * _WORD.itemsize), _WORD) | np.uint64(1)


def distinct(values: Array) -> tuple[Array, Array]:
    """(examples, codes): the number of one row for each distinct value, and for each row the index into `examples`.

    The values come in no particular order. Bytes after the NUL that ends a text count as different.
    """
    words = _words(values)
    _, codes = np.unique(values if words is None else _hashed(words), return_inverse=True)
    examples = _examples(codes)
    if words is not None and not np.array_equal(words[examples][codes], words):  # two texts of one hash
        _, codes = np.unique(values, return_inverse=True)
        examples = _examples(codes)
    return examples, codes


def _examples(codes: Array) -> Array:
    examples = np.empty(int(codes.max()) + 1 if len(codes) else 0, np.intp)
    examples[codes] = np.arange(len(codes))
    return examples


def _words(values: Array) -> Array | None:
    """Bytes as rows of 64-bit words, padded with zeros; None for numbers and for very long rows."""
    size = values.dtype.itemsize
    count = -(-size // _WORD.itemsize)
    if values.dtype.kind not in "SV" or count > len(_FACTORS):
        return None
    rows = np.ascontiguousarray(values)
    if size % _WORD.itemsize:
        padded = np.zeros((len(rows), count * _WORD.itemsize), "u1")
        padded[:, :size] = rows.view("u1").reshape(len(rows), size)
        return padded.view(_WORD)
    return rows.view(_WORD).reshape(len(rows), count)


def _hashed(words: Array) -> Array:
    """A sum of products modulo 2⁶⁴."""
    hashed: Array = words @ _FACTORS[: words.shape[1]]
    return hashed
