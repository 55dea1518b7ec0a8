"""From the registers in one function to those in its caller, given a step and the stack."""

from __future__ import annotations

from collections.abc import Sequence

from ebpftop.base.gaps import BROKEN, ELSEWHERE, NO_TABLES, NOT_IN_MEMORY, deeper_than
from ebpftop.unwind.cursor import WORD, BadTables
from ebpftop.unwind.expressions import evaluate
from ebpftop.unwind.rows import KEPT, RBP, REGISTERS, RIP, RSP, Row, Rule
from ebpftop.unwind.tables import Step

BY_FRAME_POINTER = Step(RBP, 16, ((RBP, -16),))  # for code without tables
_BEGINNING = 256  # bytes at most of the first function's own frame
_NEAR = 64 << 20  # bytes; an address further up belongs to another stack


class Ended(Exception):
    """The caller can't be found; the text says why."""


class Walk:
    """The registers of one frame after the other. See `Space.unwind` for its initial values.

    returns: where in the stack the return addresses were, in words; -1 for one that was elsewhere.
    """

    def __init__(self, registers: Sequence[int], stack: memoryview, whole: int, top: int = 0) -> None:
        self.returns: list[int] = []
        self._low, self._stack, self._whole, self._top = registers[RSP], stack, whole, top
        self._bytes = 8 * len(stack)
        self._registers: list[int | None] = list(registers)  # None: its value is lost
        self._all = True  # whether registers may be known that calls don't preserve
        self._guessed = False  # whether the last step guessed that rbp is a frame pointer

    @property
    def sp(self) -> int:
        """The beginning of the present frame."""
        return self._registers[RSP] or 0

    def step(self, step: Step) -> int:
        """Go to the caller; returns the address where it continues, 0 if there is none. Raises `Ended`."""
        if step.last:
            return 0
        if step is BY_FRAME_POINTER:
            return self._by_frame_pointer()
        self._guessed = False
        if step.row is not None:
            return self._by_row(step.row, step.signal)
        registers, stack, low = self._registers, self._stack, self._low  # most of the time of unwinding is spent below
        base, sp = registers[step.register] if step.register < REGISTERS else None, registers[RSP]
        if base is None or sp is None:
            raise Ended(BROKEN)
        cfa = base + step.offset
        at = cfa - 8 - low
        if at + low == self._top:
            return 0  # nobody called it, though its tables don't say so
        caller: int = stack[at >> 3] if 0 <= at < self._bytes and not at & 7 else self._word(cfa - 8)
        self.returns.append(at >> 3)
        for register, offset in step.saved:
            if cfa + offset >= sp:  # otherwise the end of the function has already popped it
                at = cfa + offset - low
                registers[register] = stack[at >> 3] if 0 <= at < self._bytes and not at & 7 else self._word(at + low)
        return self._called(cfa, caller)

    def _by_frame_pointer(self) -> int:
        """Step by rbp. Nothing confirms that it is a frame pointer, so it has to look like one."""
        frame, sp = self._registers[RBP], self._known(RSP)
        if frame == 0 and (self._guessed or 0 <= self._top - sp <= _BEGINNING):
            return 0
        self._guessed = True
        if frame is None or not sp <= frame < self._low + _NEAR or frame & 7:
            raise Ended(NO_TABLES)
        caller = self._word(frame + 8)
        self.returns.append(frame + 8 - self._low >> 3)
        self._registers[RBP] = self._word(frame)
        return self._called(frame + 16, caller)

    def _by_row(self, row: Row, signal: bool) -> int:
        """Step by full rules: signal frames, code that linkers make, realigned stacks, vfork."""
        try:
            if isinstance(row.cfa, tuple):
                cfa = self._known(row.cfa[0]) + row.cfa[1]
            else:
                cfa = evaluate(row.cfa, self._known, self._word)
            found = {register: self._restored(rule, cfa) for register, rule in row.rules.items()}
            place = self._place(row.rules[RIP], cfa)
        except BadTables:
            raise Ended(BROKEN) from None
        caller, sp = found[RIP], found.get(RSP, cfa)
        if caller is None or sp is None:
            raise Ended(BROKEN)
        self.returns.append(-1 if place is None else place - self._low >> 3)
        if signal:
            self._registers = [found.get(each, value) for each, value in enumerate(self._registers)]
            self._registers[RSP] = sp
            self._all = True
            return caller
        for register in KEPT:
            if register in found:
                self._registers[register] = found[register]
        return self._called(sp, caller)

    def _called(self, sp: int, caller: int) -> int:
        """Set the caller's state: its stack begins at `sp`, and a call preserves only some registers for it."""
        registers = self._registers
        before = registers[RSP]
        if before is None or sp < before:
            raise Ended(BROKEN)
        registers[RSP], registers[RIP] = sp, caller
        if self._all:
            self._registers = [value if n in (*KEPT, RSP, RIP) else None for n, value in enumerate(self._registers)]
            self._all = False
        return caller

    def _restored(self, rule: Rule, cfa: int) -> int | None:
        if (place := self._place(rule, cfa)) is not None:
            return self._word(place)
        match rule.kind:
            case "is":
                return cfa + rule.offset & WORD
            case "register":
                return self._known(rule.offset)
            case "is expression":
                return evaluate(rule.expression, self._known, self._word, (cfa,))
            case _:
                return None

    def _place(self, rule: Rule, cfa: int) -> int | None:
        """The place in memory where the value was saved."""
        match rule.kind:
            case "at":
                return cfa + rule.offset
            case "at expression":
                return evaluate(rule.expression, self._known, self._word, (cfa,))
            case _:
                return None

    def _known(self, register: int) -> int:
        value = self._registers[register] if register < REGISTERS else None
        if value is None:
            raise Ended(BROKEN)
        return value

    def _word(self, address: int) -> int:
        place, odd = divmod(address - self._low, 8)
        if 0 <= place < len(self._stack) and not odd:
            return int(self._stack[place])
        if odd or not 0 <= place < _NEAR // 8:
            raise Ended(ELSEWHERE)
        raise Ended(deeper_than(self._whole) if 8 * len(self._stack) + 8 > self._whole else NOT_IN_MEMORY)
