"""Programs in the kernel, run with arguments of ours: what a probe makes of an event that this machine never has."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from ebpftop.kernel import libbpf

_ARGUMENTS = 12  # a raw tracepoint has at most


def find(ids: Iterable[int], name: str) -> int:
    """A descriptor of the one of these programs that has this name, of which the kernel keeps 15 characters."""
    found = []
    for number in ids:
        descriptor = libbpf.checked(libbpf.library().bpf_prog_get_fd_by_id(number), "opening a program")
        if _name(descriptor) == name:
            found.append(descriptor)
        else:
            os.close(descriptor)
    (only,) = found
    return only


def _name(descriptor: int) -> str:
    """`name` of struct bpf_prog_info."""
    info, size = ctypes.create_string_buffer(80), ctypes.c_uint32(80)
    libbpf.checked(libbpf.library().bpf_obj_get_info_by_fd(descriptor, info, ctypes.byref(size)), "naming a program")
    return info.raw[64:80].split(b"\0")[0].decode()


def run(descriptor: int, *arguments: int) -> None:
    """Run a program of a raw tracepoint once, as if the tracepoint had these arguments."""
    values = (ctypes.c_uint64 * _ARGUMENTS)(*arguments)
    context = ctypes.addressof(values)  # ctx_in and ctx_size_in of struct bpf_test_run_opts
    options = struct.pack("=QQQIIQQIIIIIIII", 80, 0, 0, 0, 0, context, 0, ctypes.sizeof(values), 0, 0, 0, 0, 0, 0, 0)
    libbpf.checked(libbpf.library().bpf_prog_test_run_opts(descriptor, options), "running a program")
