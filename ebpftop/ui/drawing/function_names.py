"""Shortens names of functions to a number of cells, keeping longest what distinguishes functions.

It drops template arguments first, the innermost first, then parameter types, then enclosing scopes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from rich.cells import cell_len

_LESS = "…"
_OPERATOR = re.compile(r"operator(?:<=>|<<=?|>>=?|->\*?|[<>]=?|\(\))|->|=>")  # brackets that are none
_PATH = re.compile(r"[^\s/()<>\[\]:;,]*(?:/[^\s/()<>\[\]:;,]+)+")  # an import path with what it holds
_CLOSING = {"<": ">", "[": "]", "(": ")"}


@lru_cache(4096)
def shortened(name: str, width: int) -> str:
    """The longest form of a name that fits into so many cells, or else its shortest one."""
    form = name
    for form in _forms(name):
        if cell_len(form) <= width:
            break
    return form


def _forms(name: str) -> Iterator[str]:
    yield name
    groups = list(_groups(name))
    arguments = [each for each in groups if each.kind != "(" and each.applied]
    depths = sorted({each.depth for each in arguments}, reverse=True)
    for depth in depths:
        yield _without(name, [each for each in arguments if each.depth >= depth])
    parameters = [each for each in groups if each.kind == "(" and each.applied]
    name = _without(name, arguments + parameters)
    yield name
    if (path := _PATH.match(name)) is not None and "/" in path[0]:
        name = f"{_LESS}/{name[path[0].rindex('/') + 1 :]}"
        yield name
    for end in _qualifiers(name):
        yield f"{_LESS}::{name[end:]}"


class _Group:
    """The text between two brackets, `start` <= position < `end`. applied: whether something takes it as arguments."""

    def __init__(self, kind: str, start: int, depth: int, applied: bool) -> None:
        self.kind, self.start, self.end, self.depth, self.applied = kind, start, start, depth, applied


def _groups(name: str) -> Iterator[_Group]:
    """The groups of the whole name; an unclosed group of a cut name extends to its end."""
    operators = {at for match in _OPERATOR.finditer(name) for at in range(*match.span())}
    open_: list[_Group] = []
    for at, character in enumerate(name):
        if at in operators:
            continue
        if character in _CLOSING:
            before = name[at - 1] if at else ""
            # `f(` and `f<`, `f::<` and `operator()(`, but not `ns::(anonymous namespace)` or Go's `main.(*T)`
            applied = before.isalnum() or before in ("_", ">", "]") or at - 1 in operators
            applied = applied or (character == "<" and before == ":")
            open_.append(_Group(character, at + 1, len(open_), applied))
        elif open_ and character == _CLOSING[open_[-1].kind]:
            group = open_.pop()
            group.end = at
            yield group
    for group in reversed(open_):
        group.end = len(name)
        yield group


def _without(name: str, groups: list[_Group]) -> str:
    """The name with these groups replaced by …, where they are longer than that."""
    parts, at = [], 0
    for group in sorted(groups, key=lambda each: each.start):
        if group.start >= at and group.end - group.start > 1:
            parts += [name[at : group.start], _LESS]
            at = group.end
    return "".join([*parts, name[at:]])


def _qualifiers(name: str) -> list[int]:
    """The position after each `::` outside brackets."""
    inside = [(group.start, group.end) for group in _groups(name)]
    found = [match.end() for match in re.finditer("::(?=[^<{])", name)]
    return [end for end in found if not any(start <= end <= stop for start, stop in inside)]
