"""Type information of `f(void *ctx)` and a global function behind it, `get(struct value *value)`, for bpf(2).

BCC makes only static subprograms, which the verifier follows from the call; global ones it looks at by themselves. What
makes the difference is the linkage in BTF (Documentation/bpf/btf.rst), so this is made by hand. `struct value` is
two u64.
"""

from __future__ import annotations

import struct

_INT, _PTR, _STRUCT, _FUNC, _FUNC_PROTO = 1, 2, 4, 12, 13
_SIGNED, _GLOBAL = 1 << 24, 1


def btf(returns_pointer: bool) -> tuple[bytes, int, int]:
    """(BTF, id of f, id of get). get returns an int, or a `struct value *`."""
    strings = b"\0"

    def name(text: str) -> int:
        nonlocal strings
        at = len(strings)
        strings += text.encode() + b"\0"
        return at

    def kind(label: int, which: int, count: int, size_or_type: int, *more: int) -> bytes:
        return struct.pack(f"<{3 + len(more)}I", label, which << 24 | count, size_or_type, *more)

    number, wide, value, to_value, to_void, main, f, other, get = range(1, 10)
    types = (
        kind(name("int"), _INT, 0, 4, _SIGNED | 32)
        + kind(name("u64"), _INT, 0, 8, 64)
        + kind(name("value"), _STRUCT, 2, 16, name("a"), wide, 0, name("b"), wide, 64)
        + kind(0, _PTR, 0, value)
        + kind(0, _PTR, 0, 0)
        + kind(0, _FUNC_PROTO, 1, number, name("ctx"), to_void)
        + kind(name("f"), _FUNC, _GLOBAL, main)
        + kind(0, _FUNC_PROTO, 1, to_value if returns_pointer else number, name("value"), to_value)
        + kind(name("get"), _FUNC, _GLOBAL, other)
    )
    header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
    return header + types + strings, f, get
