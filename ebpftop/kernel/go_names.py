"""Makes Go's symbol names readable: Go escapes dots in import paths, and names the shapes of types for which a generic
function was compiled.
"""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"(?:%[0-9a-f]{2})+")
_POINTERS = re.compile(r"go\.shape\.\*uint8(?:_\d+)?(?=[,\]])")  # all pointers share one code
_SHAPE = re.compile(r"go\.shape\.")
_NUMBER = re.compile(r"(?<=[\w}\]])_\d+(?=[,\]])")  # of a type parameter; old compilers append it to the shape


def is_one(name: str) -> bool:
    """Whether the name contains anything to make readable."""
    return "go.shape." in name or ("%" in name and _ESCAPES.search(name) is not None)


def plain(name: str) -> str:
    """The readable name: `main.Map[go.shape.int_0,go.shape.*uint8_1]` becomes `main.Map[int,*]`, `a/yaml%2ev3.f`
    becomes `a/yaml.v3.f`.
    """
    name = _ESCAPES.sub(_unescaped, name)
    if "go.shape." not in name:
        return name
    return _SHAPE.sub("", _NUMBER.sub("", _POINTERS.sub("*", name)))


def _unescaped(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "backslashreplace")
