"""What the kernel accounts to a program: struct bpf_prog_info of linux/bpf.h, as far as it is needed."""

from __future__ import annotations

import ctypes
import struct
from typing import NamedTuple

from ebpftop.kernel import libbpf

_SIZE = 256
_RUN_TIME = struct.Struct("=QQQ")
_RUN_TIME_AT = 192  # run_time_ns, run_cnt, recursion_misses


class Accounts(NamedTuple):
    """Since loading; the first two stand still while the kernel's statistics are off."""

    run_time_ns: int
    run_count: int
    recursion_misses: int


def accounts(program: int) -> Accounts:
    """Of the program behind this descriptor. Raises `OSError`."""
    buffer = ctypes.create_string_buffer(_SIZE)
    size = ctypes.c_uint32(_SIZE)
    libbpf.checked(
        libbpf.library().bpf_obj_get_info_by_fd(program, buffer, ctypes.byref(size)), "asking what a program costs"
    )
    return Accounts(*_RUN_TIME.unpack_from(buffer, _RUN_TIME_AT))
