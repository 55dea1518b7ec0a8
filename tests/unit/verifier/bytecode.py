"""What is done to BCC's instructions before they are loaded (Documentation/bpf/standardization/instruction-set.rst).

An instruction is 8 bytes: opcode, registers (source in the upper half), offset, immediate; 64-bit constants take two.
"""

from __future__ import annotations

import ctypes
import struct

FIRST_KFUNC = 0x4000_0000  # no helper has such a number

_CALL, _EXIT, _LONG, _JUMPS = 0x85, 0x95, 0x18, (0x5, 0x6)
_TO_FUNCTION, _TO_KFUNC = 1, 2  # in the source register of a call


def whole(start: int, count: int) -> int:
    """How many instructions a function has with the subprograms behind it, which BCC's own count leaves out."""
    number, needed, opcode = 0, count, _EXIT
    while number < needed or (number > count and opcode != _EXIT):
        opcode, source, offset, immediate = _instruction(start, number)
        if opcode == _CALL and source == _TO_FUNCTION:
            needed = max(needed, number + 2 + immediate)
        elif number >= count and opcode & 7 in _JUMPS and opcode not in (_CALL, _EXIT):
            needed = max(needed, number + 2 + offset)
        number += 2 if opcode == _LONG else 1
    return number


def linked(start: int, count: int, kfuncs: list[int]) -> bytes:
    """The instructions; a call of address FIRST_KFUNC + n is one of the kernel function whose BTF id is kfuncs[n]."""
    program = b""
    for number in range(count):
        opcode, _, _, immediate = _instruction(start, number)
        if opcode == _CALL and immediate >= FIRST_KFUNC:
            program += struct.pack("<BBhi", _CALL, _TO_KFUNC << 4, 0, kfuncs[immediate - FIRST_KFUNC])
        else:
            program += ctypes.string_at(start + number * 8, 8)
    return program


def _instruction(start: int, number: int) -> tuple[int, int, int, int]:
    """Opcode, source register, offset and immediate of an instruction."""
    opcode, registers, offset, immediate = struct.unpack("<BBhi", ctypes.string_at(start + number * 8, 8))
    return opcode, registers >> 4, offset, immediate
