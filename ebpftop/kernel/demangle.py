"""Demangling C++ and Rust function names. Format: the Itanium C++ ABI."""

from __future__ import annotations

import ctypes
import re
from functools import cache
from typing import Any

_LONGEST = 2048  # characters of a mangled name
_HASH = re.compile(r"::h[0-9a-f]{16}$")  # of a Rust function
_ESCAPE = re.compile(r"\$(SP|BP|RF|LT|GT|LP|RP|C|u([0-9a-f]{1,6}))\$")
_ESCAPES = {"SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ","}


def demangle(name: str) -> str:
    """The demangled name; the name itself if it isn't mangled or the scheme is unknown."""
    if not name.startswith("_Z") or len(name) > _LONGEST:
        return name
    library = _library()
    if library is None:
        return name
    status = ctypes.c_int()
    text = library.__cxa_demangle(name.encode("utf-8", "replace"), None, None, ctypes.byref(status))
    if not text:
        return name
    plain = ctypes.string_at(text).decode("utf-8", "backslashreplace")
    library.free(text)
    return _rust(plain) if _HASH.search(plain) else plain


def _rust(name: str) -> str:
    name = _ESCAPE.sub(_escaped, _HASH.sub("", name)).replace("..", "::")
    return name.replace("_<", "<")


def _escaped(match: re.Match[str]) -> str:
    if match[2] is None:
        return _ESCAPES[match[1]]
    number = int(match[2], 16)
    return chr(number) if number < 0x110000 else match[0]


@cache
def _library() -> Any:
    """The C++ library, a dependency of BCC; None if it is missing."""
    try:
        library = ctypes.CDLL("libstdc++.so.6")
        function = library.__cxa_demangle
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)]
    library.free.argtypes = [ctypes.c_void_p]
    return library
