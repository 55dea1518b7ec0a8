"""Choices in words."""

from __future__ import annotations

from collections.abc import Sequence

from ebpftop.base.inert import inert
from ebpftop.frames.messages import ViewInfo
from ebpftop.model.dimensions import PROCESS
from ebpftop.model.selection import Choice, Selection

_LONGEST = 1000  # characters of a value


def choice_words(choice: Choice) -> str:
    """`backup 4711`, `call read`, `all but user www`, made inert."""
    text = _shown(choice.text)
    named = text if choice.dimension == PROCESS else f"{_shown(choice.title)} {text}"
    return f"all but {named}" if choice.excluded else named


def narrowing(selection: Selection, view: ViewInfo) -> str:
    """The restriction of a view in words, `only backup 4711, call read`; "" for none."""
    missing = selection.missing(view)
    return chosen_words([choice for choice in selection.choices if choice not in missing])


def chosen_words(choices: Sequence[Choice]) -> str:
    """The choices in words; "" if there are none."""
    words = ", ".join(map(choice_words, choices))
    return words if not choices or choices[0].excluded else f"only {words}"


def lacking(selection: Selection, view: ViewInfo) -> str:
    """The part of a selection that doesn't narrow a view: `not by process or call`; "" if all does."""
    titles = dict.fromkeys(_shown(choice.title) for choice in selection.missing(view))
    return f"not by {' or '.join(titles)}" if titles else ""


def _shown(text: str) -> str:
    return inert(text[:_LONGEST].replace("\t", " "))
