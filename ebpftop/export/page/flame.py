"""A flame graph as SVG: in a page, or in a separate file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

from ebpftop.export.page.markup import Markup, tag
from ebpftop.export.stack_report import StacksPart
from ebpftop.model.comparing.stacks import StacksComparison
from ebpftop.model.comparing.words import points
from ebpftop.model.stacks import StackFrame
from ebpftop.stats import formatting
from ebpftop.stats.flame import Node, Paths, grow, growth, sign

_ROW = 18  # pixels
_FRAMES = 2000  # in one picture
_LEAST = 1000  # frames smaller than one part in this many are not drawn
_WRITTEN = 1.2  # percent of the width from which a frame shows its name
_SHADES = 4
_FILE_WIDTH = 1200
_TALL, _PRINTED = 40, 84  # rows: graphs from this height are printed smaller; a page then has room for so many

# Light and dark shades of each side; text on all of them is dark.
COLOURS = {
    "user": ("#f0a878", "#efb46e", "#eec06a", "#f29a80"),
    "python": ("#a8d08d", "#9ccb8a", "#b6d79a", "#a3cf9c"),
    "kernel": ("#8fc0e6", "#86b4e2", "#9ccbe6", "#93b8ea"),
    "missing": ("#b9bec6", "#b0b6bf", "#c2c7ce", "#b5bac4"),
    "head": ("#c3b1e0", "#bba9da", "#cab9e4", "#c0aae2"),
}
# Frames that take more of B than of A, and less: the first colour is for equal shares.
MORE_LESS = {
    "m": ("#d3d6db", "#f0cdc6", "#f0a89b", "#ee7f6e"),
    "l": ("#d3d6db", "#c9d6ef", "#a3bdec", "#7aa3e6"),
}


class Drawn(NamedTuple):
    """The picture, and what it leaves out."""

    svg: Markup
    frames: int
    least: int  # the smallest value of a drawn frame
    rows: int

    def figure(self, said: Sequence[Markup | str], **attributes: str) -> Markup:
        """The picture with its caption, which on paper also says what doesn't fit."""
        below = tag("span", f" The innermost {self.rows - _PRINTED} rows are not printed.", class_="printed")
        return tag("figure", tag("figcaption", said, below if self.rows > _PRINTED else None), self.svg, **attributes)


def flame(part: StacksPart, *, standalone: bool = False) -> Drawn:
    """The frames of all rows of a part, outermost first, each as wide as its share."""
    heads = part.heads()
    paths, frames = part.profile.paths(heads if any(heads) else ())
    about = f"{part.view.title} · {part.shown.line}" if part.shown is not None else ""
    return _drawn(paths, frames, part.view.unit, about, standalone=standalone)


def flame_compared(found: StacksComparison, *, standalone: bool = False) -> Drawn:
    """The frames of B, coloured and signed by the growth of their shares since A."""
    return _drawn(found.paths, found.frames, found.view.unit, standalone=standalone)


def _drawn(paths: Paths, frames: Sequence[StackFrame], unit: str, about: str = "", *, standalone: bool) -> Drawn:
    least = max(1, paths.total // _LEAST)
    root = grow(paths, least)
    while _count(root) > _FRAMES:
        least *= 2
        root = grow(paths, least)
    boxes = list(_boxes(root, frames, unit, compares=paths.before is not None))
    rows = 1 + max((depth for depth, _ in boxes), default=-1)
    extra = {"xmlns": "http://www.w3.org/2000/svg", "font_family": "sans-serif"} if standalone else {}
    head = [tag("style", Markup(_style()))] if standalone else []
    if about:
        head.insert(0, tag("desc", about))
    what = f"Flame graph of {formatting.value(paths.total, unit)} in {formatting.plural(len(boxes), 'frame')}"
    width = _FILE_WIDTH if standalone else "100%"
    svg = tag(
        "svg", head, (box for _, box in boxes), width=width, height=_ROW * max(1, rows), role="img",
        aria_label=what, class_="flame tall" if rows > _TALL else "flame", **extra,
    )  # fmt: skip
    return Drawn(svg, len(boxes), least, rows)


def rules() -> str:
    """CSS for the colours, and for paper: no graph is longer than a page."""
    sides = {f"f{side[0]}": shades for side, shades in COLOURS.items()}
    sides |= {f"g{which}": shades for which, shades in MORE_LESS.items()}
    return (
        "".join(
            f".{look}{shade}{{fill:{colour}}}" for look, shades in sides.items() for shade, colour in enumerate(shades)
        )
        + f"@media print{{.flame.tall{{zoom:.6;max-height:{_ROW * _PRINTED}px;overflow:hidden}}}}"
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


def _boxes(root: Node, frames: Sequence[StackFrame], unit: str, *, compares: bool) -> Iterator[tuple[int, Markup]]:
    """(depth, box) of every frame, without recursion: stacks may be deep."""
    waiting = [(child, 0, left) for child, left in _beside(root, 0)]
    while waiting:
        node, depth, left = waiting.pop()
        frame = frames[node.frame]
        look, label, numbers = _compared(node, root, frame, unit) if compares else _plain(node, root, frame, unit)
        title = " · ".join(filter(None, (label, frame.origin, numbers)))
        yield depth, _box(depth, 100 * left / root.value, 100 * node.value / root.value, look, label, title)
        waiting += [(child, depth + 1, at) for child, at in _beside(node, left)]


def _beside(node: Node, left: int) -> Iterator[tuple[Node, int]]:
    for child in node.children:
        yield child, left
        left += child.value


def _plain(node: Node, root: Node, frame: StackFrame, unit: str) -> tuple[str, str, str]:
    """(look, label, numbers) of a frame."""
    shade = crc32(frame.label.encode(errors="replace")) % _SHADES
    share = formatting.percent(100 * node.value / root.value)
    return f"f{frame.side[0]}{shade}", frame.label, f"{formatting.value(node.value, unit)} ({share})"


def _compared(node: Node, root: Node, frame: StackFrame, unit: str) -> tuple[str, str, str]:
    grown = growth(node.value, root.value, node.before, root.before)
    strength = round(abs(grown) * (len(MORE_LESS["m"]) - 1))
    look = f"g{'m' if grown > 0 else 'l'}{strength}"
    shares = [100 * value / max(1, whole) for value, whole in ((node.before, root.before), (node.value, root.value))]
    numbers = [
        f"{name} {formatting.value(value, unit)} ({formatting.percent(share)})"
        for name, value, share in zip("AB", (node.before, node.value), shares, strict=True)
    ]
    label = f"{sign(grown)} {frame.label}" if sign(grown) else frame.label
    return look, label, f"{' → '.join(numbers)}, {points(shares[1] - shares[0])} points"


def _box(depth: int, left: float, width: float, look: str, label: str, title: str) -> Markup:
    """left, width: percent."""
    return tag(
        "svg",
        tag("title", title),
        tag("rect", width="100%", height=_ROW - 1, class_=look),
        tag("text", label, x=3, y=12) if width >= _WRITTEN else None,
        x=f"{left:.5g}%",
        y=depth * _ROW,
        width=f"{width:.5g}%",
        height=_ROW,
    )
