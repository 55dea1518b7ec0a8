"""C for the records of classic tracepoints, from tracefs, like BCC's, for a compiler that can't read tracefs.

Format: the kernel's Documentation/trace/events.rst. The names are BCC's (its tp_frontend_action.cc).
"""

from __future__ import annotations

import re

_FIELD = re.compile(
    r"^\s*field:(?P<what>[^;]+);\s*offset:(?P<at>\d+);\s*size:(?P<size>\d+);\s*signed:(?P<signed>[01]);", re.M
)
_NAME = re.compile(r"(?P<type>.*?)(?P<name>\w+)(?:\[(?P<count>\d*)\])?$")


def definition(name: str, text: str) -> str:
    """`struct tracepoint__CATEGORY__EVENT` of "CATEGORY/EVENT", from the event's `format`. Scalars are integers."""
    lines, end = [], 0
    for field in _FIELD.finditer(text):
        match = _NAME.match(field["what"].strip())
        at, size = int(field["at"]), int(field["size"])
        if match is None or match["name"].startswith("common_") or at < end or not size:
            continue
        if at > end:
            lines.append(f"char __skipped_{end}[{at - end}];")
        lines.append(_member(match, size, signed=field["signed"] == "1"))
        end = at + size
    return f"struct tracepoint__{name.replace('/', '__')} {{ {' '.join(lines)} }};\n"


def _member(match: re.Match[str], size: int, *, signed: bool) -> str:
    name = match["name"]
    if "__data_loc" in match["type"]:
        return f"int data_loc_{name};"
    if match["count"] is None and size in (1, 2, 4, 8):
        return f"{'s' if signed else 'u'}{size * 8} {name};"
    count = int(match["count"] or 0)
    each = size // count if count and not size % count else 1
    if each not in (2, 4, 8):
        return f"{'char' if 'char' in match['type'] else 'u8'} {name}[{size}];"
    return f"{'s' if signed else 'u'}{each * 8} {name}[{count}];"
