"""The binding to libbpf.so.1, which the distribution's BCC depends on. Prototypes: libbpf's bpf.h, btf.h, libbpf.h.

Functions of the library return a negative errno, or NULL with errno set.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_void_p
from functools import cache

_ENOTSUPP = 524  # kernel-internal, not in errno.h; some map types return it for batch calls
_BPF_STATS_RUN_TIME = 0

_PROTOTYPES: dict[str, tuple[object, list[object]]] = {
    "bpf_map_create": (c_int, [c_int, c_char_p, c_uint32, c_uint32, c_uint32, c_void_p]),
    "bpf_map_lookup_elem": (c_int, [c_int, c_void_p, c_void_p]),
    "bpf_map_update_elem": (c_int, [c_int, c_void_p, c_void_p, ctypes.c_uint64]),
    "bpf_map_delete_elem": (c_int, [c_int, c_void_p]),
    "bpf_map_get_next_key": (c_int, [c_int, c_void_p, c_void_p]),
    "bpf_map_lookup_batch": (c_int, [c_int, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_uint32), c_void_p]),
    "bpf_map_delete_batch": (c_int, [c_int, c_void_p, POINTER(c_uint32), c_void_p]),
    "bpf_map_get_next_id": (c_int, [c_uint32, POINTER(c_uint32)]),
    "bpf_map_get_fd_by_id": (c_int, [c_uint32]),
    "bpf_prog_load": (c_int, [c_int, c_char_p, c_char_p, c_void_p, c_size_t, c_void_p]),
    "bpf_prog_get_next_id": (c_int, [c_uint32, POINTER(c_uint32)]),
    "bpf_prog_get_fd_by_id": (c_int, [c_uint32]),
    "bpf_raw_tracepoint_open": (c_int, [c_char_p, c_int]),
    "bpf_link_create": (c_int, [c_int, c_int, c_int, c_void_p]),
    "bpf_obj_get_info_by_fd": (c_int, [c_int, c_void_p, POINTER(c_uint32)]),
    "bpf_enable_stats": (c_int, [c_int]),
    "libbpf_num_possible_cpus": (c_int, []),
    "libbpf_bpf_prog_type_str": (c_char_p, [c_int]),
    "libbpf_set_print": (c_void_p, [c_void_p]),
    "btf__parse_split": (c_void_p, [c_char_p, c_void_p]),
    "btf__free": (None, [c_void_p]),
    "btf__type_cnt": (c_uint32, [c_void_p]),
    "btf__type_by_id": (c_void_p, [c_void_p, c_uint32]),
    "btf__name_by_offset": (c_char_p, [c_void_p, c_uint32]),
    "btf__find_by_name_kind": (c_int, [c_void_p, c_char_p, c_uint32]),
    "btf__resolve_size": (ctypes.c_int64, [c_void_p, c_uint32]),
    "btf__raw_data": (c_void_p, [c_void_p, POINTER(c_uint32)]),
    "btf_dump__new": (c_void_p, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "btf_dump__free": (None, [c_void_p]),
    "btf_dump__dump_type": (c_int, [c_void_p, c_uint32]),
}


class KernelLacks(Exception):
    """Something this machine lacks. `remedy` is one line on what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


@cache
def library() -> ctypes.CDLL:
    """libbpf with the prototypes above, its own output to stderr disabled. Raises `KernelLacks`."""
    try:
        lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
    except OSError:
        remedy = "install libbpf 1.x (it comes with the distribution's BCC package)"
        raise KernelLacks("libbpf.so.1 is not installed", remedy) from None
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    lib.libbpf_set_print(None)
    return lib


def failure(number: int, what: str) -> OSError:
    """An OSError for an errno of either sign; `what` says what was being done."""
    number = abs(number)
    if number == _ENOTSUPP:
        return OSError(number, f"{what}: not supported by this kernel (ENOTSUPP)")
    name = errno.errorcode.get(number, str(number))
    return OSError(number, f"{what}: {os.strerror(number)} ({name})")


def checked(result: int, what: str) -> int:
    """The result of a call. Raises OSError if it is a negative errno."""
    if result < 0:
        raise failure(result, what)
    return result


def enable_stats() -> int:
    """A descriptor; until it is closed the kernel measures programs' run times. Needs root. Raises OSError."""
    return checked(library().bpf_enable_stats(_BPF_STATS_RUN_TIME), "enabling program statistics")


def possible_cpus() -> int:
    """The number of values in an entry of a per-CPU map."""
    return checked(library().libbpf_num_possible_cpus(), "counting possible CPUs")


def map_entries(descriptor: int) -> int:
    """The map's capacity in entries, or a ring buffer's in bytes: `max_entries` of struct bpf_map_info."""
    info, size = (c_uint32 * 22)(), c_uint32(88)
    checked(library().bpf_obj_get_info_by_fd(descriptor, info, ctypes.byref(size)), "reading a map's size")
    return int(info[4])


def program_ids() -> list[int]:
    """Ids of all programs in the kernel. Needs root. Raises OSError."""
    return list(_ids(library().bpf_prog_get_next_id, "listing programs"))


def map_ids() -> list[int]:
    """Ids of all maps in the kernel. Needs root. Raises OSError."""
    return list(_ids(library().bpf_map_get_next_id, "listing maps"))


def _ids(following: Callable[..., int], what: str) -> Iterator[int]:
    current = c_uint32(0)
    while (result := following(current.value, ctypes.byref(current))) == 0:
        yield current.value
    if result != -errno.ENOENT:
        raise failure(result, what)
