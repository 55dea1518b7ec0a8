"""A probe's README as styled text: headings, paragraphs, lists, tables and code. Anything else is shown as written.

Nothing in it is active: no links, no terminal escapes; control characters are shown as escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from textual.content import Content

from ebpftop.ui.drawing.inert import inert

TAB = 4
_HEADING = re.compile(r"#{1,6} +(.*?) *#*$")
_ITEM = re.compile(r"( *)(?:[-*+]|(\d{1,3})[.)]) +(.*)")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_RULE = re.compile(r"\|?(?: *:?-+:? *\|)*(?: *:?-+:? *)?")
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>[^*]+)\*\*|(?<!\w)[*_](?P<slanted>[^*_\s](?:[^*_]*[^*_\s])?)[*_](?!\w)"
    r"|!?\[(?P<text>[^\]]*)\]\([^)]*\)"
)
_LOOKS = {"code": "$secondary", "bold": "bold", "slanted": "italic", "text": ""}


def rendered(markdown: str) -> Content:
    """Blocks separated by empty lines; a paragraph's lines are joined, those of code kept."""
    return Content("\n\n").join(_blocks(markdown.expandtabs(TAB).strip("\n").split("\n")))


def _blocks(lines: list[str]) -> Iterator[Content]:
    at = 0
    while at < len(lines):
        start, line = at, lines[at]
        at += 1
        if not line.strip():
            continue
        if _FENCE.match(line):
            while at < len(lines) and not _FENCE.match(lines[at]):
                at += 1
            yield _code(lines[start + 1 : at])
            at += 1
        elif line.startswith(" " * TAB):
            while at < len(lines) and (lines[at].startswith(" " * TAB) or not lines[at].strip()):
                at += 1
            yield _code([each[TAB:] for each in lines[start:at]])
        elif heading := _HEADING.match(line):
            yield Content.styled(_inline(heading[1]).plain, "bold $primary")
        elif line.startswith("|"):
            while at < len(lines) and lines[at].startswith("|"):
                at += 1
            yield _table(lines[start:at])
        else:
            while at < len(lines) and lines[at].strip() and not _begins(lines[at]):
                at += 1
            yield _list(lines[start:at]) if _ITEM.match(line) else _paragraph(lines[start:at])


def _begins(line: str) -> bool:
    """Whether the line begins a block even without an empty line before it."""
    return bool(_FENCE.match(line) or _HEADING.match(line) or line.startswith("|"))


def _code(lines: list[str]) -> Content:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return Content("\n").join(Content.styled(f"    {inert(line)}".rstrip(), "$secondary") for line in lines)


def _paragraph(lines: list[str]) -> Content:
    return _inline(" ".join(line.strip() for line in lines))


def _list(lines: list[str]) -> Content:
    items: list[tuple[str, str]] = []
    for line in lines:
        if item := _ITEM.match(line):
            items.append((item[1] + (f"{item[2]}. " if item[2] else "• "), item[3]))
        else:
            items[-1] = (items[-1][0], f"{items[-1][1]} {line.strip()}")
    return Content("\n").join(Content.assemble((sign, "$quiet"), _inline(text)) for sign, text in items)


def _table(lines: list[str]) -> Content:
    """Cells padded to the width of their column, the first row bold."""
    rows = [[_inline(cell.strip()) for cell in line.strip().strip("|").split("|")] for line in lines]
    rows = [row for row, line in zip(rows, lines, strict=True) if not _RULE.fullmatch(line.strip())]
    widths = [max(row[at].cell_length for row in rows if at < len(row)) for at in range(max(map(len, rows), default=0))]
    shown = []
    for number, row in enumerate(rows):
        line = Content("  ").join(
            Content.assemble(cell, " " * (width - cell.cell_length)) for cell, width in zip(row, widths, strict=False)
        )
        shown.append(line.stylize("bold") if number == 0 else line)
    return Content("\n").join(line.rstrip() for line in shown)


def _inline(text: str) -> Content:
    parts: list[str | tuple[str, str]] = []
    at = 0
    for match in _INLINE.finditer(text):
        parts.append(inert(text[at : match.start()]))
        name = match.lastgroup or "text"
        parts.append((inert(match[name]), _LOOKS[name]))
        at = match.end()
    parts.append(inert(text[at:]))
    return Content.assemble(*(part for part in parts if part))
