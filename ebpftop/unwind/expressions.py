"""Evaluates the DWARF expressions that unwind tables use: DWARF 5, section 2.5. None can jump, so all end."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from ebpftop.unwind.cursor import WORD, BadTables, Cursor

_CONSTANTS = {  # size, signed
    0x08: (1, False),
    0x09: (1, True),
    0x0A: (2, False),
    0x0B: (2, True),
    0x0C: (4, False),
    0x0D: (4, True),
    0x0E: (8, False),
    0x0F: (8, True),
}


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _compare(how: Callable[[int, int], bool]) -> Callable[[int, int], int]:
    return lambda a, b: int(how(_signed(a), _signed(b)))


_BINARY: dict[int, Callable[[int, int], int]] = {
    0x1A: operator.and_,
    0x1C: operator.sub,
    0x1E: operator.mul,
    0x21: operator.or_,
    0x22: operator.add,
    0x24: lambda a, b: a << b if b < 64 else 0,
    0x25: lambda a, b: a >> b if b < 64 else 0,
    0x27: operator.xor,
    0x29: _compare(operator.eq),
    0x2A: _compare(operator.ge),
    0x2B: _compare(operator.gt),
    0x2C: _compare(operator.le),
    0x2D: _compare(operator.lt),
    0x2E: _compare(operator.ne),
}


def evaluate(
    expression: bytes,
    registers: Callable[[int], int],
    word: Callable[[int], int],
    given: Sequence[int] = (),
) -> int:
    """The result of an expression. word: reads the 8 bytes at an address. given: the initial stack.

    Raises `BadTables`, and any exception of `registers` and `word`.
    """
    cursor, stack = Cursor(expression, 0, len(expression)), list(given)
    try:
        while cursor.left:
            operation = cursor.byte()
            if 0x30 <= operation < 0x50:
                stack.append(operation - 0x30)
            elif 0x70 <= operation < 0x90:
                stack.append(registers(operation - 0x70) + cursor.signed() & WORD)
            elif operation in _CONSTANTS:
                size, signed = _CONSTANTS[operation]
                stack.append(cursor.integer(size, signed=signed) & WORD)
            elif operation in _BINARY:
                right, left = stack.pop(), stack.pop()
                stack.append(_BINARY[operation](left, right) & WORD)
            else:
                _other(operation, cursor, stack, word)
        return stack[-1]
    except IndexError:
        raise BadTables("an expression takes what isn't there") from None


def _other(operation: int, cursor: Cursor, stack: list[int], word: Callable[[int], int]) -> None:
    match operation:
        case 0x06:  # deref
            stack.append(word(stack.pop()))
        case 0x10:
            stack.append(cursor.unsigned())
        case 0x11:
            stack.append(cursor.signed() & WORD)
        case 0x12:  # dup
            stack.append(stack[-1])
        case 0x13:  # drop
            stack.pop()
        case 0x14:  # over
            stack.append(stack[-2])
        case 0x16:  # swap
            stack[-1], stack[-2] = stack[-2], stack[-1]
        case 0x1F:
            stack.append(-stack.pop() & WORD)
        case 0x20:
            stack.append(~stack.pop() & WORD)
        case 0x23:  # plus_uconst
            stack.append(stack.pop() + cursor.unsigned() & WORD)
        case 0x96:  # nop
            pass
        case _:
            raise BadTables(f"unknown operation {operation:#x} in an expression")
