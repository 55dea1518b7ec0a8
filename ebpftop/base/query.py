"""Matching for filters and searches: all words of a query, in any order, ignoring case."""

from __future__ import annotations

from collections.abc import Sequence


def words_of(query: str) -> list[str]:
    return query.casefold().split()


def holds(text: str, words: Sequence[str]) -> bool:
    """Whether the text contains all words of a query."""
    text = text.casefold()
    return all(word in text for word in words)
