"""What all shapes are made of."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Whole = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0)] | None
Bounds = Annotated[list[Whole], Meta(min_length=2, max_length=2)]  # lo <= v < hi
Cell = Any  # a number, a text, true, false or null


class Shape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An object with these keys and no others; only those with a default may be missing."""
