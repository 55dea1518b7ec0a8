"""The base class of each direction, and the limits on what is decoded."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

# What decodes is a number a consumer can compute with: no NaN, no infinity, no date beyond all calendars.
GREATEST = (1 << 62) - 1  # whole number
Whole = Annotated[int, Meta(ge=0, le=GREATEST)]
Measure = Annotated[float, Meta(ge=0.0, le=1e15)]
# Upper limits for every list: a few bytes of a tape must not become a list that fills the memory.
SOME = Meta(max_length=1 << 8)
FEW = Meta(max_length=1 << 12)
MANY = Meta(max_length=1 << 21)
Text = Annotated[str, Meta(max_length=1 << 18)]  # of a process


class Frame(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """Base of what a source sends."""


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower, forbid_unknown_fields=True):
    """Base of what a consumer requests. Never C, a command or a path to read: the only path, of a cgroup, is compared
    with those of processes.
    """
