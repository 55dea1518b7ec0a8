"""A program, assembled by hand, that writes numbered records to a ring buffer."""

from __future__ import annotations

import ctypes
import os
import struct

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.kernel import libbpf
from tests.support.maps import ARRAY, RINGBUF

RECORD = np.dtype([("number", "<u8"), ("thrice", "<u8")])
DISCARD_EVERY = 8  # every eighth record is discarded

_SOCKET_FILTER = 1
_LOOKUP, _RESERVE, _SUBMIT, _DISCARD = 1, 131, 132, 133  # BPF_FUNC_…
_NO_WAKEUP = 1


class RingWriter:
    """Owns the ring of `size` bytes, `fd`. Records are numbered from 0; if the ring is full, none is written."""

    def __init__(self, size: int) -> None:
        library = libbpf.library()
        self.fd = libbpf.checked(library.bpf_map_create(RINGBUF, b"ring", 0, 0, size, None), "making a ring")
        self._counts = libbpf.checked(library.bpf_map_create(ARRAY, b"counts", 4, 16, 1, None), "making counts")
        code = _program(self.fd, self._counts)
        self._program = libbpf.checked(
            library.bpf_prog_load(_SOCKET_FILTER, b"writer", b"GPL", code, len(code) // 8, None), "loading the writer"
        )

    def run(self, times: int) -> None:
        """Write this many records."""
        packet = ctypes.create_string_buffer(64)
        options = struct.pack(
            "=QQQIIQQIIIIIIII", 80, ctypes.addressof(packet), 0, 64, 0, 0, 0, 0, 0, 0, times, 0, 0, 0, 0
        )
        libbpf.checked(libbpf.library().bpf_prog_test_run_opts(self._program, options), "running the writer")

    def counts(self) -> tuple[int, int]:
        """(records begun, records dropped because the ring was full)."""
        value = ctypes.create_string_buffer(16)
        libbpf.checked(libbpf.library().bpf_map_lookup_elem(self._counts, bytes(4), value), "reading counts")
        begun, refused = struct.unpack("=QQ", value.raw)
        return begun, refused

    def close(self) -> None:
        for fd in (self.fd, self._counts, self._program):
            os.close(fd)


def kept(records: Array) -> Array:
    """Numbers of the records that a reader should see."""
    numbers = np.arange(int(records["number"].max()) + 1, dtype="<u8")
    return numbers[numbers % DISCARD_EVERY != DISCARD_EVERY - 1]


def _program(ring: int, counts: int) -> bytes:
    return b"".join(
        (
            *_load_map(1, counts),
            _insn(0x62, 10, 0, -4, 0),  # key on the stack = 0
            _insn(0xBF, 2, 10),
            _insn(0x07, 2, imm=-4),
            _insn(0x85, imm=_LOOKUP),
            _insn(0x15, 0, off=24),  # NULL: to the end
            _insn(0xBF, 7, 0),
            _insn(0xB7, 8, imm=1),
            _insn(0xDB, 7, 8, 0, 0x01),  # r8 = fetch and add 1: the record's number
            *_load_map(1, ring),
            _insn(0xB7, 2, imm=RECORD.itemsize),
            _insn(0xB7, 3, imm=0),
            _insn(0x85, imm=_RESERVE),
            _insn(0x55, 0, off=3),
            _insn(0xB7, 9, imm=1),
            _insn(0xDB, 7, 9, 8, 0x00),  # no room: count it
            _insn(0x05, off=12),
            _insn(0x7B, 0, 8, 0),
            _insn(0xBF, 3, 8),
            _insn(0x27, 3, imm=3),
            _insn(0x7B, 0, 3, 8),
            _insn(0xBF, 1, 0),
            _insn(0xB7, 2, imm=_NO_WAKEUP),
            _insn(0xBF, 3, 8),
            _insn(0x57, 3, imm=DISCARD_EVERY - 1),
            _insn(0x15, 3, off=2, imm=DISCARD_EVERY - 1),
            _insn(0x85, imm=_SUBMIT),
            _insn(0x05, off=1),
            _insn(0x85, imm=_DISCARD),
            _insn(0xB7, 0, imm=0),
            _insn(0x95),
        )
    )


def _insn(code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    return struct.pack("<BBhi", code, dst | src << 4, off, imm)


def _load_map(register: int, fd: int) -> tuple[bytes, bytes]:
    return _insn(0x18, register, 1, 0, fd), _insn(0)
