"""Makes untrusted text (from a file, an argument, the kernel or a process) harmless to show on one line."""

from __future__ import annotations


def inert(text: str) -> str:
    """The text with everything unprintable (control and bidirectional characters, newlines) written as an escape."""
    if text.isprintable():  # nearly all text is
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def inert_lines(text: str) -> str:
    """Text of several lines, each of them inert."""
    return "\n".join(map(inert, text.split("\n")))


def quoted(text: str, limit: int = 60) -> str:
    """User input in quotes, as ASCII, cut after `limit` characters."""
    return ascii(text) if len(text) <= limit else f"{text[:limit]!a}…"
