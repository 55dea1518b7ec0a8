"""Builds HTML and SVG from values. Every text is escaped; only the output of `tag` is markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from ebpftop.base.inert import inert


class Markup(str):
    """Text that is already markup. Nothing else is inserted without escaping."""

    __slots__ = ()


Child = str | int | None

_VOID = frozenset({"meta", "col", "br", "rect", "line", "path", "polyline"})


def text(value: Child) -> Markup:
    """A text inside an element: control and bidirectional characters as escapes, then HTML's own characters."""
    if isinstance(value, Markup):
        return value
    return Markup("" if value is None else escape(inert(str(value))))


def tag(name: str, /, *children: Child | Iterable[Child], **attributes: Any) -> Markup:
    """An element. `class_="a"` is `class="a"`, `data_v=1` is `data-v="1"`; None and False leave an attribute out, and
    True gives it no value.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: Child | Iterable[Child]) -> Markup:
    """Several pieces one after another."""
    return Markup("".join(map(_child, children)))


def bare(value: str) -> Markup:
    """A text that may contain untrusted characters, prevented from changing the direction of adjacent text."""
    return tag("bdi", value)


def _child(child: Child | Iterable[Child]) -> str:
    if child is None or isinstance(child, str | int):
        return text(child)
    return joined(*child)


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    written = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f' {name}="{escape(inert(written))}"'
