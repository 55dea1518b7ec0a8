"""What the dashboard has on its screen, as SVG: text as text, everything that draws as shapes.

Box drawing, blocks and braille become paths, so that lines join and curves keep their dots whatever font a viewer has.
The text names DejaVu Sans Mono first, whose letters are exactly a cell wide; with another font they are squeezed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from html import escape
from itertools import groupby
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.strip import Strip

FONT_SIZE = 16
CELL = FONT_SIZE * 1233 / 2048  # DejaVu Sans Mono's own advance, in its units of 2048 an em
ROW = 20
BASELINE = 15
MARGIN = 12
THIN, THICK = 1.25, 2.5

# Box drawing by how thick its arms are: up, right, down, left.
_BOX = {
    "─": "0101", "│": "1010", "┌": "0110", "┐": "0011", "└": "1100", "┘": "1001", "├": "1110", "┤": "1011",
    "┬": "0111", "┴": "1101", "┼": "1111", "╴": "0001", "╵": "1000", "╶": "0100", "╷": "0010",
    "━": "0202", "┃": "2020", "┏": "0220", "┓": "0022", "┗": "2200", "┛": "2002",
}  # fmt: skip
_ROUND = {"╭": (1, 1), "╮": (-1, 1), "╰": (1, -1), "╯": (-1, -1)}  # where its arms go: right or left, down or up
# Words one blank apart, a character that draws, blanks.
_PIECE = re.compile(r"[^\s─-▐⠀-⣿]+(?: [^\s─-▐⠀-⣿]+)*|[─-▐⠀-⣿]|\s+")
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))  # column and row of a braille pattern's bits


def picture(app: App[Any]) -> str:
    """The screen as it would be drawn now, with the screens under a modal one."""
    columns, rows = app.size
    width, height = columns * CELL + 2 * MARGIN, rows * ROW + 2 * MARGIN
    theme = app.current_theme
    return "\n".join(_document(_strips(app), width, height, str(theme.foreground), str(theme.background)))


def _strips(app: App[Any]) -> list[Strip]:
    """As `App.export_screenshot` gets them."""
    screen = app.screen._compositor
    update = screen.render_update(full=True, screen_stack=app._background_screens, simplify=True)
    return [strip for line in update.strips for strip in line]


def _document(strips: Iterable[Strip], width: float, height: float, front: str, back: str) -> Iterator[str]:
    box = f'width="{width:g}" height="{height:g}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" {box}>'
    yield (
        f"<style>text{{font:{FONT_SIZE}px 'DejaVu Sans Mono','Cascadia Mono',Menlo,Consolas,monospace;"
        "white-space:pre}.b{font-weight:bold}.i{font-style:italic}.u{text-decoration:underline}</style>"
    )
    yield f'<rect {box} rx="8" fill="{back}"/>'
    for y, strip in enumerate(strips):
        x = 0
        for segment in strip:
            yield from _segment(segment, MARGIN + x * CELL, MARGIN + y * ROW, front, back)
            x += segment.cell_length
    yield f'<rect {box} rx="8" fill="none" stroke="{front}" stroke-opacity=".25"/>'
    yield "</svg>\n"


def _segment(segment: Segment, x: float, y: float, usual_front: str, usual_back: str) -> Iterator[str]:
    style = segment.style or Style()
    front = style.color.get_truecolor().hex if style.color and not style.color.is_default else usual_front
    back = style.bgcolor.get_truecolor().hex if style.bgcolor and not style.bgcolor.is_default else usual_back
    if style.reverse:
        front, back = back, front
    if back != usual_back:
        width = segment.cell_length * CELL
        yield (
            f'<rect x="{x:.2f}" y="{y:g}" width="{width:.2f}" height="{ROW}" fill="{back}" '
            'shape-rendering="crispEdges"/>'
        )
    for kind, run in groupby(_PIECE.findall(segment.text), key=_kind):
        text = "".join(run)
        if kind is Kind.SHAPE:
            yield from _shapes(text, x, y, front)
        elif kind is Kind.TEXT:
            yield _text(text, x, y, front, style)
        x += Segment(text).cell_length * CELL


def _text(text: str, x: float, y: float, colour: str, style: Style) -> str:
    """Stretched to the cells it takes."""
    looks = " ".join(name for name, on in (("b", style.bold), ("i", style.italic), ("u", style.underline)) if on)
    look = f' class="{looks}"' if looks else ""
    width = Segment(text).cell_length * CELL
    return (
        f'<text x="{x:.2f}" y="{y + BASELINE:g}" fill="{colour}"{look} textLength="{width:.2f}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
    )


# ---------------------------------------------------------------- characters that draw


class Kind(Enum):
    BLANK, TEXT, SHAPE = range(3)


def _kind(piece: str) -> Kind:
    """Of a word, of blanks between words, or of one character that draws."""
    if piece in _BOX or piece in _ROUND or "▀" <= piece[0] <= "▐" or "\u2800" <= piece[0] <= "\u28ff":
        return Kind.SHAPE
    return Kind.BLANK if piece.isspace() else Kind.TEXT


def _shapes(text: str, x: float, y: float, colour: str) -> Iterator[str]:
    filled, drawn = "", {THIN: "", THICK: ""}
    for at, character in enumerate(text):
        left = x + at * CELL
        if character in _BOX:
            for width, path in _box(_BOX[character], left, y):
                drawn[width] += path
        elif character in _ROUND:
            drawn[THIN] += _corner(*_ROUND[character], left, y)
        elif "▀" <= character <= "▐":
            filled += _block(character, left, y)
        else:
            filled += _braille(ord(character) - 0x2800, left, y)
    if filled:
        yield f'<path d="{filled}" fill="{colour}"/>'
    for width, path in drawn.items():
        if path:
            yield f'<path d="{path}" stroke="{colour}" stroke-width="{width}" fill="none"/>'


def _box(arms: str, x: float, y: float) -> Iterator[tuple[float, str]]:
    middle, centre = x + CELL / 2, y + ROW / 2
    ends = ((middle, y), (x + CELL, centre), (middle, y + ROW), (x, centre))
    for thickness, (to_x, to_y) in zip(arms, ends, strict=True):
        if thickness != "0":
            yield (THIN if thickness == "1" else THICK), f"M{middle:.2f} {centre:g}L{to_x:.2f} {to_y:g}"


def _corner(right: int, down: int, x: float, y: float) -> str:
    middle, centre = x + CELL / 2, y + ROW / 2
    radius = CELL / 2
    return (
        f"M{middle:.2f} {centre + down * ROW / 2:g}V{centre + down * radius:.2f}"
        f"Q{middle:.2f} {centre:g} {middle + right * radius:.2f} {centre:g}"
    )


def _block(character: str, x: float, y: float) -> str:
    """Upper half, the lower eighths, the left eighths, right half."""
    number = ord(character) - ord("▀")
    if number == 0:
        return _rectangle(x, y, CELL, ROW / 2)
    if number <= 8:
        return _rectangle(x, y + ROW * (8 - number) / 8, CELL, ROW * number / 8)
    if number <= 15:
        return _rectangle(x, y, CELL * (16 - number) / 8, ROW)
    return _rectangle(x + CELL / 2, y, CELL / 2, ROW)


def _braille(bits: int, x: float, y: float) -> str:
    size = 2.6
    return "".join(
        _rectangle(x + (column + 0.5) * CELL / 2 - size / 2, y + (row + 0.5) * ROW / 4 - size / 2, size, size)
        for bit, (column, row) in enumerate(_DOTS)
        if bits >> bit & 1
    )


def _rectangle(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.2f} {y:.2f}h{width:.2f}v{height:.2f}h{-width:.2f}z"
