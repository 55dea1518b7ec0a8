"""The kernel's own types, read from BTF through libbpf. Format: the kernel's Documentation/bpf/btf.rst and linux/btf.h.

A type is three words (name offset, info, size or type) followed, by kind, by members, parameters or enumerators.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ebpftop.kernel.libbpf import KernelLacks, library

VMLINUX = Path("/sys/kernel/btf/vmlinux")
_UNREADABLE = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # else it is damaged
KINDS = {"struct": 4, "union": 5, "enum": 6, "typedef": 8, "func": 12}

_PTR, _ARRAY, _STRUCT, _UNION, _ENUM, _FWD, _TYPEDEF, _VOLATILE, _CONST, _RESTRICT = range(2, 12)
_FUNC_PROTO, _TYPE_TAG, _ENUM64 = 13, 18, 19
_QUALIFIERS = {_VOLATILE: "volatile", _CONST: "const", _RESTRICT: "restrict"}
_TAGS = {_STRUCT: "struct ", _UNION: "union ", _ENUM: "enum ", _ENUM64: "enum ", _FWD: "struct "}
# compilers write the long names of integer types to debug information
_SHORT = {
    "long int": "long",
    "long unsigned int": "unsigned long",
    "long long int": "long long",
    "long long unsigned int": "unsigned long long",
    "short int": "short",
    "short unsigned int": "unsigned short",
}


class Member(NamedTuple):
    """A field of a struct or union; the name is empty for an anonymous inner one."""

    name: str
    type: int


class Btf:
    """All types of one BTF file (raw, or in an ELF file). Raises `KernelLacks` if it can't be read.

    A module's file holds only its additions to a `base`, vmlinux's.
    """

    def __init__(self, path: Path = VMLINUX, base: Btf | None = None) -> None:
        self._lib = library()
        self._base = base  # must outlive this one
        self._btf: int | None = self._lib.btf__parse_split(os.fsencode(path), base._btf if base else None)
        if not self._btf:
            number = ctypes.get_errno()
            if number not in _UNREADABLE:
                raise KernelLacks(
                    f"the BTF in {path} is damaged", "check what is mounted there, or boot another kernel"
                )
            remedy = "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (distributions' kernels since 2021 are)"
            raise KernelLacks(f"can't read BTF from {path}: {os.strerror(number)}", remedy)

    def __del__(self) -> None:
        if getattr(self, "_btf", None):
            self._lib.btf__free(self._btf)

    def __len__(self) -> int:
        """Number of types, including void."""
        return int(self._lib.btf__type_cnt(self._btf))

    # ---------------------------------------------------------------- lookups

    def has_type(self, kind: str, name: str) -> bool:
        """Whether there is a "struct", "union", "enum" or "typedef" of this name."""
        return self.find(kind, name) is not None

    def has_function(self, name: str) -> bool:
        """Whether the kernel has a function of this name with a known prototype, which fentry needs."""
        return self.find("func", name) is not None

    def find(self, kind: str, name: str) -> int | None:
        """Id of a type by kind (see `KINDS`) and name. A type that doesn't exist costs a scan of about 1 ms."""
        number = self._lib.btf__find_by_name_kind(self._btf, name.encode(), KINDS[kind])
        if number <= 0 and kind == "enum":
            number = self._lib.btf__find_by_name_kind(self._btf, name.encode(), _ENUM64)
        return number if number > 0 else None

    def size(self, number: int) -> int:
        """Size in bytes of a type."""
        return int(self._lib.btf__resolve_size(self._btf, number))

    # ---------------------------------------------------------------- members

    def members(self, name: str) -> frozenset[str]:
        """Field names of `struct name`, including those of anonymous inner structs and unions; empty if unknown."""
        number = self.find("struct", name)
        return frozenset(member.name for member in self._named_members(number)) if number else frozenset()

    def reached(self, number: int, names: frozenset[str]) -> list[str]:
        """Structs ("struct x", "union x") that a type points to, directly or through fields with one of these names."""
        found = []
        inner, kind = self._bare(number)
        while kind == _ARRAY:
            inner, kind = self._bare(self._words(inner, 4)[3])
        if kind == _PTR:
            target, kind = self._bare(self._words(inner, 3)[2])
            if kind in (_STRUCT, _UNION) and (tag := self._name_of(target)):
                found.append(f"{'struct' if kind == _STRUCT else 'union'} {tag}")
        elif kind in (_STRUCT, _UNION):
            for member in self._named_members(inner):
                if member.name in names:
                    found += self.reached(member.type, names)
        return found

    def _named_members(self, number: int) -> Iterator[Member]:
        for member in self._members(number):
            if member.name:
                yield member
            else:
                inner, kind = self._bare(member.type)
                if kind in (_STRUCT, _UNION):
                    yield from self._named_members(inner)

    def _members(self, number: int) -> Iterator[Member]:
        count = self._words(number, 2)[1] & 0xFFFF
        words = self._words(number, 3 + 3 * count)
        for at in range(3, len(words), 3):
            yield Member(self._text(words[at]), words[at + 1])

    # ---------------------------------------------------------------- prototypes

    def tracepoint_args(self, name: str) -> list[str] | None:
        """C types of a tracepoint's arguments, or None if vmlinux has no such tracepoint.

        They are the parameters of the typedef `btf_trace_<name>` after its own `void *`, spelled as in C: "bool",
        "unsigned long", "struct task_struct *", "const struct path *".
        """
        number = self.find("typedef", f"btf_trace_{name}")
        if number is None:
            return None
        pointer, _ = self._bare(number)
        prototype, kind = self._bare(self._words(pointer, 3)[2])
        if kind != _FUNC_PROTO:
            return None
        count = self._words(prototype, 2)[1] & 0xFFFF
        words = self._words(prototype, 3 + 2 * count)
        return [self.spell(words[at + 1]) for at in range(5, len(words), 2)]

    def spell(self, number: int) -> str:
        """A type as spelled in C, without tags such as __user and __rcu, which are not part of the C type."""
        if number == 0:
            return "void"
        name, info, target = self._words(number, 3)
        kind = info >> 24 & 31
        if kind == _TYPE_TAG:
            return self.spell(target)
        if kind == _PTR:
            inner = self.spell(target)
            return inner if "(*)" in inner else f"{inner}{'' if inner.endswith('*') else ' '}*"
        if kind in _QUALIFIERS:
            inner = self.spell(target)
            return f"{inner} {_QUALIFIERS[kind]}" if inner.endswith("*") else f"{_QUALIFIERS[kind]} {inner}"
        if kind == _ARRAY:
            element, _, length = self._words(number, 6)[3:]
            return f"{self.spell(element)} [{length}]"
        if kind == _FUNC_PROTO:
            parameters = self._words(number, 3 + 2 * (info & 0xFFFF))[4::2]
            return f"{self.spell(target)} (*)({', '.join(self.spell(one) for one in parameters)})"
        tag = "union " if kind == _FWD and info >> 31 else _TAGS.get(kind, "")
        text = self._text(name)
        return f"{tag}{_SHORT.get(text, text) or '(anonymous)'}"

    # ---------------------------------------------------------------- enumerators

    def enum_values(self, names: Iterable[str]) -> dict[str, int]:
        """Values of the enumerators that exist; if there is a base, only in the base.

        Enumerators have no index. The type section stores a name as one aligned word, its offset in the string section,
        which libc's vectorised wmemchr finds in 0.2 ms; the type around that word shows whether it is an enumerator.
        """
        if self._base is not None:
            return self._base.enum_values(names)
        found = {}
        for name in names:
            if (value := self._enum_value(name)) is not None:
                found[name] = value
        return found

    def enumerators(self, tag: str) -> dict[int, str]:
        """Names by value of `enum tag`, the last name if values are equal; empty if there is no such enum."""
        number = self.find("enum", tag)
        return {value: self._text(offset) for offset, value in self._enumerators(number)} if number else {}

    def _enum_value(self, name: str) -> int | None:
        types, type_bytes, strings = self._sections()
        offset = strings.find(b"\0" + name.encode() + b"\0") + 1
        at, end = types, types + type_bytes
        while offset and (hit := _libc().wmemchr(at, offset, (end - at) // 4)):
            if (value := self._enumerator_at(hit, offset)) is not None:
                return value
            at = hit + 4
        return None

    def _enumerator_at(self, address: int, offset: int) -> int | None:
        found = self._enumerators(self._type_around(address))
        return next((value for name, value in found if name == offset), None)

    def _enumerators(self, number: int) -> Iterator[tuple[int, int]]:
        """(offset of the name, value) of each enumerator of a type; empty for a type that isn't an enum."""
        _, info, _ = self._words(number, 3)
        kind, count, signed = info >> 24 & 31, info & 0xFFFF, info >> 31
        if kind not in (_ENUM, _ENUM64):
            return
        step = 2 if kind == _ENUM else 3
        words = self._words(number, 3 + step * count)[3:]
        for at in range(0, len(words), step):
            value = struct.pack(f"<{step - 1}I", *words[at + 1 : at + step])
            yield words[at], int.from_bytes(value, "little", signed=bool(signed))

    def _type_around(self, address: int) -> int:
        """Id of the type whose description covers an address; descriptions are in order of ids."""
        low, high = 1, len(self) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._lib.btf__type_by_id(self._btf, middle) <= address:
                low = middle
            else:
                high = middle - 1
        return low

    def _sections(self) -> tuple[int, int, bytes]:
        """Address and size of the type section, and the string section."""
        if not hasattr(self, "_strings"):
            size = ctypes.c_uint32()
            start = self._lib.btf__raw_data(self._btf, ctypes.byref(size))
            header, types, type_bytes, strings, string_bytes = struct.unpack_from(
                "<IIIII", ctypes.string_at(start, 24), 4
            )
            self._types = start + header + types, type_bytes
            self._strings = ctypes.string_at(start + header + strings, string_bytes)
        return *self._types, self._strings

    # ---------------------------------------------------------------- C

    def dump(self, names: Iterable[str]) -> str:
        """C definitions of "struct x", "union x", "enum x" or a typedef's plain name, preceded by what they contain.

        Structs that are only pointed to are declared, not defined. Names that don't exist are skipped. libbpf prints
        thousands of pieces through a callback with vfprintf's signature, so we pass libc's vfprintf, writing to memory.
        """
        libc = _libc()
        text, length = ctypes.c_void_p(), ctypes.c_size_t()
        stream = libc.open_memstream(ctypes.byref(text), ctypes.byref(length))
        dump = self._lib.btf_dump__new(self._btf, libc.vfprintf, stream, None)
        try:
            for name in names:
                kind, _, tag = name.rpartition(" ")
                if (number := self.find(kind or "typedef", tag)) is not None:
                    self._lib.btf_dump__dump_type(dump, number)
        finally:
            self._lib.btf_dump__free(dump)
            libc.fclose(stream)
        definitions = ctypes.string_at(text.value or 0, length.value).decode()
        libc.free(text)
        return definitions

    # ---------------------------------------------------------------- words

    def _words(self, number: int, count: int) -> list[int]:
        address = self._lib.btf__type_by_id(self._btf, number)
        return list((ctypes.c_uint32 * count).from_address(address))

    def _text(self, offset: int) -> str:
        return str(self._lib.btf__name_by_offset(self._btf, offset).decode())

    def _name_of(self, number: int) -> str:
        return self._text(self._words(number, 1)[0]) if number else ""

    def _bare(self, number: int) -> tuple[int, int]:
        """(id, kind) of a type behind qualifiers, tags and typedefs; (0, 0) is void."""
        while number:
            _, info, target = self._words(number, 3)
            kind = info >> 24 & 31
            if kind not in (*_QUALIFIERS, _TYPEDEF, _TYPE_TAG):
                return number, kind
            number = target
        return 0, 0


@cache
def running() -> Btf:
    """The running kernel's types, read once (10 ms). Raises `KernelLacks`."""
    return Btf()


def modules_naming(name: str) -> list[Path]:
    """BTF files of the loaded modules that contain a name."""
    wanted = b"\0" + name.encode() + b"\0"
    files = (path for path in VMLINUX.parent.iterdir() if path != VMLINUX)
    return [path for path in files if wanted in path.read_bytes()]


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None)
    libc.wmemchr.restype = ctypes.c_void_p
    libc.wmemchr.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_size_t]
    libc.open_memstream.restype = ctypes.c_void_p
    libc.open_memstream.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    libc.fclose.argtypes = [ctypes.c_void_p]
    libc.free.argtypes = [ctypes.c_void_p]
    return libc
