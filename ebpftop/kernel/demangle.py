"""Demangles names of C++, Rust and Go functions. C++'s format: the Itanium C++ ABI.

A C++ name refers to its own parts, and parts contain references: 300 bytes can expand to more than any memory holds, in
C that no exception interrupts. Names with more than a few references are demangled in a child process, which the kernel
kills if a name takes too long.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import struct
from collections.abc import Collection
from functools import cache
from typing import Any

from ebpftop.base import forking
from ebpftop.kernel import go_names, rust_names

_LONGEST = 2048  # characters of a mangled name
_REFERENCE = re.compile(r"S[0-9A-Z]*_|T[0-9]*_|D[pv]")  # each at most doubles the text, or repeats it
_FEW = 12  # references: they expand to a few MiB of text at most
_SECONDS = 0.2  # of CPU time for one name
_CHILDREN = 8  # killed for one name each; the remaining names then stay mangled
_LONGEST_PLAIN = 4096  # characters
_LENGTH = struct.Struct("<I")
_HASH = re.compile(r"::h[0-9a-f]{16}$")  # of a Rust function
_ESCAPE = re.compile(r"\$(SP|BP|RF|LT|GT|LP|RP|C|u([0-9a-f]{1,6}))\$")
_ESCAPES = {"SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ","}


def demangle(names: Collection[str]) -> dict[str, str]:
    """Demangled names by mangled ones, cut after 4,096 characters. A name stays unchanged if it isn't mangled, has an
    unknown format, or takes too long.
    """
    references = {name: len(_REFERENCE.findall(name)) if name.startswith("_Z") else 0 for name in names}
    plain = {name: _demangled(name) for name, count in references.items() if count <= _FEW}
    rest = sorted(references.keys() - plain.keys(), key=lambda name: (references[name], name))
    for _ in range(_CHILDREN):
        done = _in_child(rest) if rest else []
        plain.update(zip(rest, done, strict=False))
        rest = rest[len(done) :]
        if rest:  # the first of them killed the child
            plain[rest[0]] = rest[0]
            del rest[0]
    return plain | {name: name for name in rest}


def _in_child(names: list[str]) -> list[str]:
    """Demangled names, as many as a child completes."""
    reading, writing = os.pipe()
    child = forking.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            with os.fdopen(writing, "wb") as file:
                for name in names:
                    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
                    text = _demangled(name).encode("utf-8", "replace")
                    file.write(_LENGTH.pack(len(text)) + text)
                    file.flush()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    done, at = [], 0
    while at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size + length
        if at <= len(data):
            done.append(data[at - length : at].decode())
    return done


def _demangled(name: str) -> str:
    if len(name) > _LONGEST:
        return name
    if name.startswith("_R"):
        return (rust_names.plain(name) or name)[:_LONGEST_PLAIN]
    if not name.startswith("_Z"):
        return go_names.plain(name) if go_names.is_one(name) else name
    return _cxx(name.partition(".llvm.")[0]) or name


def _cxx(name: str) -> str:
    """Demangle C++ or legacy Rust; empty if the name is neither."""
    library = _library()
    if library is None:
        return ""
    status = ctypes.c_int()
    text = library.__cxa_demangle(name.encode("utf-8", "replace"), None, None, ctypes.byref(status))
    if not text:
        return ""
    plain = ctypes.string_at(text, library.strnlen(text, _LONGEST_PLAIN)).decode("utf-8", "backslashreplace")
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
    library.strnlen.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    library.strnlen.restype = ctypes.c_size_t
    return library
