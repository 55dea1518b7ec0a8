"""Runs loaded programs with our own arguments, to test events that never happen on this machine."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from ebpftop.kernel import libbpf

_ARGUMENTS = 12  # the maximum of a raw tracepoint


def find(ids: Iterable[int], name: str) -> int:
    """A descriptor of the program with this name among these; the kernel keeps 15 characters of a name."""
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
    """Run a raw tracepoint program once with these tracepoint arguments."""
    values = (ctypes.c_uint64 * _ARGUMENTS)(*arguments)
    context = ctypes.addressof(values)  # ctx_in and ctx_size_in of struct bpf_test_run_opts
    options = struct.pack("=QQQIIQQIIIIIIII", 80, 0, 0, 0, 0, context, 0, ctypes.sizeof(values), 0, 0, 0, 0, 0, 0, 0)
    libbpf.checked(libbpf.library().bpf_prog_test_run_opts(descriptor, options), "running a program")
