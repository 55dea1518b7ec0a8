"""The kernel's information about a program: the required fields of struct bpf_prog_info in linux/bpf.h."""

from __future__ import annotations

import ctypes
import struct
from typing import NamedTuple

from ebpftop.kernel import libbpf

_SIZE = 256
_INFO = struct.Struct("=II8sII16xQ16x16s")  # type, id, tag, jited and translated size, load time, name
_RUN_TIME = struct.Struct("=QQQ")
_RUN_TIME_AT = 192  # run_time_ns, run_cnt, recursion_misses


class ProgramInfo(NamedTuple):
    """loaded_ns: boottime. tag: of its instructions, 16 hexadecimal digits. name: untrusted text, "" if it has none.
    jited, translated: bytes of machine code (0 if it is interpreted) and of BPF. The other fields count since loading;
    run time and count don't change while the kernel's statistics are off.
    """

    id: int
    name: str
    type: str
    tag: str
    loaded_ns: int
    jited: int
    translated: int
    run_time_ns: int
    run_count: int
    recursion_misses: int


class Spent(NamedTuple):
    """What a program has cost since loading, as in `ProgramInfo`."""

    run_time_ns: int = 0
    run_count: int = 0
    recursion_misses: int = 0


def spent(program: int) -> Spent:
    """The cost of the program behind this descriptor: the part that is requested every second. Raises `OSError`."""
    return Spent(*_RUN_TIME.unpack_from(_read(program), _RUN_TIME_AT))


def _read(program: int) -> ctypes.Array[ctypes.c_char]:
    buffer = ctypes.create_string_buffer(_SIZE)
    size = ctypes.c_uint32(_SIZE)
    asked = libbpf.library().bpf_obj_get_info_by_fd(program, buffer, ctypes.byref(size))
    libbpf.checked(asked, "asking what a program costs")
    return buffer


def info(program: int) -> ProgramInfo:
    """Information about the program behind this descriptor. Raises `OSError`."""
    buffer = _read(program)
    kind, number, tag, jited, translated, loaded, name = _INFO.unpack_from(buffer)
    known = libbpf.library().libbpf_bpf_prog_type_str(kind)
    return ProgramInfo(
        number,
        name.split(b"\0")[0].decode("utf-8", "backslashreplace"),
        known.decode() if known else str(kind),
        tag.hex(),
        loaded,
        jited,
        translated,
        *_RUN_TIME.unpack_from(buffer, _RUN_TIME_AT),
    )
