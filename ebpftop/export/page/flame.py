"""A flame graph as SVG: in a page, or a file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from ebpftop.export.page.markup import Markup, tag
from ebpftop.export.stack_report import StacksPart
from ebpftop.model.stacks import StackFrame
from ebpftop.stats import formatting
from ebpftop.stats.flame import Node, grow

_ROW = 18  # pixels
_FRAMES = 2000  # in one picture
_LEAST = 1000  # a frame is drawn from this part of the whole on
_WRITTEN = 1.2  # percent of the width from which a frame has its name on it
_SHADES = 4
_FILE_WIDTH = 1200

# Light and dark shades of each side; text on all of them is dark.
COLOURS = {
    "user": ("#f0a878", "#efb46e", "#eec06a", "#f29a80"),
    "kernel": ("#8fc0e6", "#86b4e2", "#9ccbe6", "#93b8ea"),
    "missing": ("#b9bec6", "#b0b6bf", "#c2c7ce", "#b5bac4"),
    "head": ("#c3b1e0", "#bba9da", "#cab9e4", "#c0aae2"),
}


class Drawn(NamedTuple):
    """The picture, and what is not on it."""

    svg: Markup
    frames: int
    least: int  # the value from which frames are drawn


def flame(part: StacksPart, *, standalone: bool = False) -> Drawn:
    """The frames of all rows of a part, outermost first, each as wide as its share."""
    heads = part.heads()
    paths, frames = part.profile.paths(heads if any(heads) else ())
    least = max(1, paths.total // _LEAST)
    root = grow(paths, least)
    while _count(root) > _FRAMES:
        least *= 2
        root = grow(paths, least)
    boxes = list(_boxes(root, frames, part.view.unit))
    height = _ROW * (1 + max((depth for depth, _ in boxes), default=-1))
    extra = {"xmlns": "http://www.w3.org/2000/svg", "font_family": "sans-serif"} if standalone else {}
    head = [tag("style", Markup(_style()))] if standalone else []
    if part.shown is not None:
        head.insert(0, tag("desc", f"{part.view.title} · {part.shown.line}"))
    what = f"Flame graph of {formatting.value(paths.total, part.view.unit)} in {formatting.plural(len(boxes), 'frame')}"
    width = _FILE_WIDTH if standalone else "100%"
    svg = tag(
        "svg", head, (box for _, box in boxes), width=width, height=max(_ROW, height), role="img",
        aria_label=what, class_="flame", **extra,
    )  # fmt: skip
    return Drawn(svg, len(boxes), least)


def rules() -> str:
    """CSS for the colours."""
    return "".join(
        f".f{side[0]}{shade}{{fill:{colour}}}"
        for side, shades in COLOURS.items()
        for shade, colour in enumerate(shades)
    )


def _style() -> str:
    return f"text{{font-size:11px;fill:#10141a}}rect{{stroke:#fff;stroke-width:.5}}{rules()}"


def _count(root: Node) -> int:
    count, waiting = 0, [root]
    while waiting:
        node = waiting.pop()
        count += len(node.children)
        waiting += node.children
    return count


def _boxes(root: Node, frames: list[StackFrame], unit: str) -> Iterator[tuple[int, Markup]]:
    """(depth, box) of every frame, without recursion: stacks may be deep."""
    waiting = [(child, 0, left) for child, left in _beside(root, 0)]
    while waiting:
        node, depth, left = waiting.pop()
        yield depth, _box(node, depth, left, root.value, frames[node.frame], unit)
        waiting += [(child, depth + 1, at) for child, at in _beside(node, left)]


def _beside(node: Node, left: int) -> Iterator[tuple[Node, int]]:
    for child in node.children:
        yield child, left
        left += child.value


def _box(node: Node, depth: int, left: int, total: int, frame: StackFrame, unit: str) -> Markup:
    width = 100 * node.value / total
    shade = crc32(frame.label.encode(errors="replace")) % _SHADES
    share = formatting.percent(width)
    title = " · ".join(filter(None, (frame.label, frame.origin, f"{formatting.value(node.value, unit)} ({share})")))
    return tag(
        "svg",
        tag("title", title),
        tag("rect", width="100%", height=_ROW - 1, class_=f"f{frame.side[0]}{shade}"),
        tag("text", frame.label, x=3, y=12) if width >= _WRITTEN else None,
        x=f"{100 * left / total:.5g}%",
        y=depth * _ROW,
        width=f"{width:.5g}%",
        height=_ROW,
    )
