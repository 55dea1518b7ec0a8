"""Words for people: text from files and arguments shown inert, on one line, and the nearest name to a mistyped one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def inert(text: str) -> str:
    """The text with everything unprintable (control and bidirectional characters, newlines) written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quoted(text: str, limit: int = 60) -> str:
    """What a person gave, in quotes and pure ASCII, cut after `limit` characters."""
    return ascii(text) if len(text) <= limit else f"{text[:limit]!a}…"


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean NAME?`, or nothing when no known name is near."""
    near = closest(name, known)
    return f"; did you mean {near}?" if near else ""


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one, if any is."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.5)), None)
