"""BTF written by hand, after the kernel's Documentation/bpf/btf.rst: on its own, or as a module's on top of vmlinux."""

from __future__ import annotations

import struct
from pathlib import Path

from ebpftop.kernel import btf

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO = range(1, 14)
TYPE_TAG, ENUM64 = 18, 19


class BtfFile:
    """Collects types; `add` returns the id of each."""

    def __init__(self, *, on_vmlinux: bool = False) -> None:
        self._types, self._strings = b"", b"" if on_vmlinux else b"\0"
        self._next, self._string_start = 1, 0
        if on_vmlinux:
            raw = btf.VMLINUX.read_bytes()
            self._next, self._string_start = len(btf.running()), struct.unpack_from("<I", raw, 20)[0]

    def add(self, kind: int, name: str, count: int, size_or_type: int, *words: int, flag: bool = False) -> int:
        """One type: its kind, name, number of entries, size or type referred to, and the words that follow."""
        info = kind << 24 | count | flag << 31
        self._types += struct.pack("<III", self._text(name), info, size_or_type)
        self._types += b"".join(struct.pack("<I", word & 0xFFFFFFFF) for word in words)
        self._next += 1
        return self._next - 1

    def struct(self, name: str, size: int, *members: tuple[str, int, int], kind: int = STRUCT) -> int:
        """Members are (name, type, offset in bytes)."""
        words = [word for text, number, at in members for word in (self._text(text), number, at * 8)]
        return self.add(kind, name, len(members), size, *words)

    def enum(self, name: str, values: dict[str, int], *, kind: int = ENUM, signed: bool = False) -> int:
        words = []
        for text, value in values.items():
            words += [self._text(text), value] if kind == ENUM else [self._text(text), value, value >> 32]
        return self.add(kind, name, len(values), 4 if kind == ENUM else 8, *words, flag=signed)

    def prototype(self, result: int, *parameters: int) -> int:
        return self.add(FUNC_PROTO, "", len(parameters), result, *(word for one in parameters for word in (0, one)))

    def write(self, path: Path) -> Path:
        header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(self._types), len(self._types), len(self._strings))
        path.write_bytes(header + self._types + self._strings)
        return path

    def _text(self, text: str) -> int:
        if not text:
            return 0
        at = self._string_start + len(self._strings)
        self._strings += text.encode() + b"\0"
        return at
