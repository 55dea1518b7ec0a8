"""IP addresses: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

import numpy as np
import numpy.typing as npt

from ebpftop.frames.columns import labelled
from ebpftop.frames.messages import Column


def decode(values: npt.NDArray[Any]) -> Column:
    """A dictionary column of (rows, 16) bytes. Raises ValueError for another shape."""
    if values.dtype.itemsize != 1 or values.shape[1:] != (16,):
        raise ValueError(f"decode = 'address' takes u8[16], not {values.dtype}{list(values.shape[1:]) or ''}")
    whole = np.ascontiguousarray(values).view("V16").ravel()
    return labelled(whole, name)


def name(raw: bytes) -> str:
    """`10.0.0.1`, `2001:db8::1`."""
    address = IPv6Address(raw)
    return str(address.ipv4_mapped or address)
