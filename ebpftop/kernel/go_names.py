"""Go's symbol names as their authors wrote them: Go escapes dots in import paths, and names the shapes of types that a
generic function was compiled for.
"""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"(?:%[0-9a-f]{2})+")
_POINTERS = re.compile(r"go\.shape\.\*uint8(?:_\d+)?(?=[,\]])")  # one code for all pointers
_SHAPE = re.compile(r"go\.shape\.")
_NUMBER = re.compile(r"(?<=[\w}\]])_\d+(?=[,\]])")  # of a type parameter, which old compilers write behind its shape


def is_one(name: str) -> bool:
    """Whether there is anything to make readable."""
    return "go.shape." in name or ("%" in name and _ESCAPES.search(name) is not None)


def plain(name: str) -> str:
    """`main.Map[go.shape.int_0,go.shape.*uint8_1]` is `main.Map[int,*]`, `a/yaml%2ev3.f` is `a/yaml.v3.f`."""
    name = _ESCAPES.sub(_unescaped, name)
    if "go.shape." not in name:
        return name
    return _SHAPE.sub("", _NUMBER.sub("", _POINTERS.sub("*", name)))


def _unescaped(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "backslashreplace")
