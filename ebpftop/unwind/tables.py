"""The unwind tables of one file: `.eh_frame` and the sorted table in `.eh_frame_hdr` (LSB 5, "Exception Frames").

Only the function of a requested address is read, and the result is cached.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from ebpftop.unwind.cursor import BadTables, Bytes, Cursor
from ebpftop.unwind.rows import KEPT, RBP, RIP, Interpreter, Row

_LONGEST = 32 << 10  # bytes of a function's description
_LONGEST_AUGMENTATION = 8
_MOST_SCANNED = 1 << 16  # records of a file without a sorted table
_MOST_STEPS = 1 << 16  # cached
_ASKED = 64  # functions, spread over the file, that are examined for frame pointers
_SHORT = 64  # bytes of a function that may omit it
_EXCEPTIONS = 16  # one in this many may be written in assembler
_HEADER = b"\x01\x1b\x03\x3b"  # version 1, and the linkers' encodings of the numbers that follow
_AT_CFA = -8  # where a call leaves the return address


class Step(NamedTuple):
    """The way from one function to its caller, at one address.

    The frame's address is the value of `register` plus `offset`. The return address lies just below it, and saved
    registers at these (register, offset). If that isn't enough, `row` has the rules. signal: the caller was interrupted
    and made no call.
    """

    register: int
    offset: int
    saved: tuple[tuple[int, int], ...]
    row: Row | None = None
    signal: bool = False
    last: bool = False  # there is no caller


_LAST = Step(0, 0, (), last=True)


class TooMuch(Exception):
    """More bytes would have to be read than is worthwhile now."""


class Effort:
    """A budget of bytes of descriptions to read: it limits the cost of hostile files."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, count: int) -> None:
        """Take bytes off the budget. Raises `TooMuch`."""
        if self.left <= 0:
            raise TooMuch
        self.left -= count


class _Kind(NamedTuple):
    """The common part of functions: a CIE."""

    code_unit: int
    data_unit: int
    encoding: int
    augmented: bool
    signal: bool
    initial: tuple[int, int]  # instructions: from, to


class Tables:
    """`frames` and `header` are the two sections, at these addresses of the file; a header may be empty.

    Raises `BadTables`.
    """

    def __init__(self, frames: Bytes, address: int, header: Bytes = b"", header_address: int = 0) -> None:
        self._frames, self._address = frames, address
        self._steps: dict[int, Step | None] = {}
        self._kinds: dict[int, _Kind] = {}
        self._starts: Sequence[int]
        self._places: Sequence[int]  # of descriptions; both are relative to this:
        self._base = header_address
        if bytes(header[:4]) == _HEADER and len(header) >= 12:
            count = min(int.from_bytes(header[8:12], "little"), (len(header) - 12) // 8)
            table = memoryview(header)[12 : 12 + 8 * count].cast("i")
            self._starts, self._places = table[::2], table[1::2]
        else:
            self._base = 0
            found = sorted(self._scan())
            self._starts, self._places = [each[0] for each in found], [each[1] for each in found]

    @property
    def kept(self) -> int:
        """The number of cached steps."""
        return len(self._steps)

    def forget(self) -> None:
        self._steps.clear()

    def keep_frame_pointers(self, effort: Effort) -> bool:
        """Whether the file's functions keep frame pointers: all but a few of some dozens, none of them short, examined
        at their middle. Raises `TooMuch`.
        """
        count = len(self._starts)
        asked = kept = 0
        for at in range(0, count, max(1, count // _ASKED)):
            start = self._starts[at]
            length = self._starts[at + 1] - start if at + 1 < count else 0
            if length < _SHORT:
                continue
            try:
                step = self._find(start + self._base + length // 2, effort)
            except BadTables:
                return False
            if step is not None and not step.last:
                asked += 1
                kept += step.register == RBP and step.row is None
        return 0 < asked <= kept + asked // _EXCEPTIONS

    def step(self, pc: int, effort: Effort) -> Step | None:
        """The step from the function at an address of the file to its caller; None if no function is described there.

        Raises `BadTables`, `TooMuch`.
        """
        try:
            return self._steps[pc]
        except KeyError:
            pass
        found = self._find(pc, effort)
        if len(self._steps) >= _MOST_STEPS:
            self._steps.clear()
        self._steps[pc] = found
        return found

    def _find(self, pc: int, effort: Effort) -> Step | None:
        after = bisect_right(self._starts, pc - self._base)
        if not after:
            return None
        at = self._places[after - 1] + self._base - self._address
        record, kind_at = self._record(at)
        if kind_at is None or record.left > _LONGEST:
            raise BadTables("no function's description")
        effort.spend(record.left)
        kind = self._kind(kind_at)
        start = record.pointer(kind.encoding, self._address)
        length = record.pointer(kind.encoding & 0x0F, 0)
        if not start <= pc < start + length:
            return None
        if kind.augmented:
            record.skip(record.unsigned())
        effort.spend(kind.initial[1] - kind.initial[0])
        initial = Cursor(self._frames, *kind.initial)
        return _step(Interpreter(start, kind.code_unit, kind.data_unit).row(initial, record, pc), kind.signal)

    def _record(self, at: int) -> tuple[Cursor, int | None]:
        """A record after its header; for a function, also the place of its CIE."""
        cursor = Cursor(self._frames, at, len(self._frames))
        size = cursor.integer(4)
        if size == 0xFFFFFFFF:
            raise BadTables("a record is too long")
        here = cursor.at
        record = Cursor(self._frames, here, here + size)
        back = record.integer(4)
        return record, here - back if back else None

    def _kind(self, at: int) -> _Kind:
        if at not in self._kinds:
            if len(self._kinds) >= _MOST_STEPS:
                self._kinds.clear()
            self._kinds[at] = self._read_kind(at)
        return self._kinds[at]

    def _read_kind(self, at: int) -> _Kind:
        cursor, of = self._record(at)
        if of is not None or cursor.left > _LONGEST:
            raise BadTables("a function's description names no kind")
        version = cursor.byte()
        if version not in (1, 3):
            raise BadTables(f"unknown version {version}")
        augmentation = cursor.text(_LONGEST_AUGMENTATION)
        code_unit, data_unit = cursor.unsigned(), cursor.signed()
        if (cursor.byte() if version == 1 else cursor.unsigned()) != RIP:
            raise BadTables("return addresses are in no known register")
        encoding, end = 0, cursor.at + cursor.left
        if augmentation[:1] == b"z":
            size = cursor.unsigned()
            start = cursor.skip(size)
            encoding = self._encoding(Cursor(self._frames, start, start + size), augmentation[1:])
        elif augmentation:
            raise BadTables("unknown augmentation")
        return _Kind(code_unit, data_unit, encoding, augmentation != b"", b"S" in augmentation, (cursor.at, end))

    def _encoding(self, data: Cursor, letters: bytes) -> int:
        """The encoding of the addresses of functions."""
        encoding = 0
        for letter in letters:
            match chr(letter):
                case "R":
                    encoding = data.byte()
                case "L":
                    data.byte()
                case "P":
                    data.pointer(data.byte() & 0x0F, 0)
                case "S" | "B":
                    pass
                case _:
                    raise BadTables("unknown augmentation")
        return encoding

    def _scan(self) -> list[tuple[int, int]]:
        """Start and place of all functions, for files without a sorted table."""
        found: list[tuple[int, int]] = []
        at = 0
        for _ in range(_MOST_SCANNED):
            if at + 4 > len(self._frames) or not int.from_bytes(self._frames[at : at + 4], "little"):
                return found
            record, kind_at = self._record(at)
            end = record.at + record.left
            if kind_at is not None:
                found.append((record.pointer(self._kind(kind_at).encoding, self._address), self._address + at))
            at = end
        raise BadTables("too many functions without a sorted table")


def _step(row: Row, signal: bool) -> Step:
    """The row in short form, if possible."""
    back = row.rules.get(RIP)
    if back is None:
        raise BadTables("the return address is not described")
    if back.kind == "undefined":
        return _LAST
    saved = {register: row.rules[register] for register in KEPT if register in row.rules}
    plain = back == ("at", _AT_CFA, b"") and not signal and all(rule.kind == "at" for rule in saved.values())
    if plain and isinstance(row.cfa, tuple) and 7 not in row.rules:
        return Step(*row.cfa, tuple((register, rule.offset) for register, rule in saved.items()))
    return Step(0, 0, (), row, signal)
