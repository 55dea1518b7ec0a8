"""Layouts of map keys, values and events as NumPy dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ebpftop.frames.layout import Record

Array = npt.NDArray[Any]


def dtype(record: Record, multiple: int = 1) -> np.dtype[Any]:
    """The structured dtype of a record, whose size is rounded up to a multiple; a field of several elements becomes a
    subarray.
    """
    return np.dtype(
        {
            "names": [field.name for field in record.fields],
            "formats": [field.dtype if field.count == 1 else (field.dtype, (field.count,)) for field in record.fields],
            "offsets": [field.offset for field in record.fields],
            "itemsize": -(-record.size // multiple) * multiple,
        }
    )


def opaque(records: Array) -> Array:
    """Whole records as one comparable column of bytes (`V`), their padding zero.

    NumPy leaves padding undefined whenever it copies records, but for the kernel it is part of a key.
    """
    packed = records.dtype
    if sum(packed[name].itemsize for name in packed.names or ()) != packed.itemsize:
        clean = np.zeros(len(records), packed)
        for name in packed.names or ():
            clean[name] = records[name]
        records = clean
    return np.ascontiguousarray(records).view(np.dtype((np.void, packed.itemsize)))
