"""Finds where the caller's registers were saved, for one address of a function: DWARF 5, section 6.4.

Instructions describe a table with a row for each address. The table is never built: the instructions are followed up to
the one address.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from ebpftop.unwind.cursor import BadTables, Cursor

RCX, RBX, RBP, RSP, RIP = 2, 3, 6, 7, 16  # DWARF's numbers on x86-64
REGISTERS = 17  # the relevant ones: the general registers, and the return address
KEPT = (RBX, RBP, 12, 13, 14, 15)  # a function restores them

_DEEPEST = 32  # states remembered at a time; compilers nest two or three

Cfa = tuple[int, int] | bytes
"""The frame's address: a register and an offset to add, or an expression."""


class Rule(NamedTuple):
    """How to find a register's value in the caller.

    at, is: the value is in memory at the frame's address plus `offset`, or is that sum. register: it is in register
    `offset`. Otherwise an expression gives its place or the value. undefined: it is lost; for the return address that
    means there is no caller.
    """

    kind: Literal["at", "is", "register", "at expression", "is expression", "undefined"]
    offset: int = 0
    expression: bytes = b""


class Row(NamedTuple):
    """cfa: the frame's address, usually the value of rsp in the caller. A register without a rule is unchanged."""

    cfa: Cfa
    rules: dict[int, Rule]


class Interpreter:
    """Follows the instructions of one function, which begins at `location`."""

    def __init__(self, location: int, code_unit: int, data_unit: int) -> None:
        self._location, self._code_unit, self._data_unit = location, code_unit, data_unit
        self._cfa: Cfa | None = None
        self._rules: dict[int, Rule] = {}
        self._initial: dict[int, Rule] = {}
        self._remembered: list[tuple[Cfa | None, dict[int, Rule]]] = []

    def row(self, initial: Cursor, instructions: Cursor, pc: int) -> Row:
        """The row for an address. initial: the instructions that all functions of a kind share. Raises `BadTables`."""
        self._follow(initial, pc)
        self._initial = dict(self._rules)
        self._follow(instructions, pc)
        if self._cfa is None:
            raise BadTables("the frame's address is not described")
        return Row(self._cfa, self._rules)

    def _follow(self, cursor: Cursor, pc: int) -> None:
        while cursor.left:
            operation = cursor.byte()
            low = operation & 0x3F
            match operation & 0xC0:
                case 0x40:
                    self._location += low * self._code_unit
                case 0x80:
                    self._set(low, Rule("at", cursor.unsigned() * self._data_unit))
                case 0xC0:
                    self._restore(low)
                case _:
                    self._long(operation, cursor)
            if self._location > pc:
                return

    def _long(self, operation: int, cursor: Cursor) -> None:
        """Follow an instruction whose operands all come after it."""
        match operation:
            case 0x00 | 0x2D:  # nothing; specific to arm64
                pass
            case 0x02 | 0x03 | 0x04:  # advance_loc1, 2, 4
                self._location += cursor.integer(1 << operation - 2) * self._code_unit
            case 0x05:  # offset_extended
                self._set(cursor.unsigned(), Rule("at", cursor.unsigned() * self._data_unit))
            case 0x06:
                self._restore(cursor.unsigned())
            case 0x07:
                self._set(cursor.unsigned(), Rule("undefined"))
            case 0x08:  # same_value
                self._rules.pop(cursor.unsigned(), None)
            case 0x09:
                self._set(cursor.unsigned(), Rule("register", cursor.unsigned()))
            case 0x0A:
                if len(self._remembered) >= _DEEPEST:
                    raise BadTables("too many states are remembered")
                self._remembered.append((self._cfa, dict(self._rules)))
            case 0x0B:
                if not self._remembered:
                    raise BadTables("no state is remembered")
                self._cfa, self._rules = self._remembered.pop()
            case 0x0C:
                self._cfa = cursor.unsigned(), cursor.unsigned()
            case 0x0D:
                self._cfa = cursor.unsigned(), self._of_register()[1]
            case 0x0E:
                self._cfa = self._of_register()[0], cursor.unsigned()
            case 0x0F:
                self._cfa = cursor.block()
            case 0x10:
                self._set(cursor.unsigned(), Rule("at expression", 0, cursor.block()))
            case 0x11:
                self._set(cursor.unsigned(), Rule("at", cursor.signed() * self._data_unit))
            case 0x12:
                self._cfa = cursor.unsigned(), cursor.signed() * self._data_unit
            case 0x13:
                self._cfa = self._of_register()[0], cursor.signed() * self._data_unit
            case 0x14:
                self._set(cursor.unsigned(), Rule("is", cursor.unsigned() * self._data_unit))
            case 0x15:
                self._set(cursor.unsigned(), Rule("is", cursor.signed() * self._data_unit))
            case 0x16:
                self._set(cursor.unsigned(), Rule("is expression", 0, cursor.block()))
            case 0x2E:  # GNU_args_size
                cursor.unsigned()
            case _:
                raise BadTables(f"unknown instruction {operation:#x}")

    def _of_register(self) -> tuple[int, int]:
        if not isinstance(self._cfa, tuple):
            raise BadTables("the frame's address is of no register")
        return self._cfa

    def _set(self, register: int, rule: Rule) -> None:
        if register < REGISTERS:
            self._rules[register] = rule

    def _restore(self, register: int) -> None:
        if register in self._initial:
            self._rules[register] = self._initial[register]
        else:
            self._rules.pop(register, None)
