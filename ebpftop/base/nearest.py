"""The known name closest to a mistyped one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from ebpftop.base.inert import inert

_LONGEST = 100  # characters: comparing takes time, and a longer text is no mistyped name


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean NAME?`, or "" if no known name is close. It is inert: the name may be from a tape or a file."""
    near = closest(name, known)
    return f"; did you mean {inert(near)}?" if near else ""


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name most similar to this one; None if none is similar."""
    if len(name) > _LONGEST:
        return None
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.5)), None)
