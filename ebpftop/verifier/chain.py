"""How a register got its rejected value: the instructions that set it, and what each did to it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ebpftop.verifier import helpers, packet
from ebpftop.verifier import lost as losses
from ebpftop.verifier.again import checked_before
from ebpftop.verifier.instruction import CLOBBERED, Instruction
from ebpftop.verifier.path import Visit, back
from ebpftop.verifier.registers import known_after, known_before, last_known, read
from ebpftop.verifier.rules.model import Fault
from ebpftop.verifier.source import Quotes, result_of_call
from ebpftop.verifier.step import Step
from ebpftop.verifier.taken import takes
from ebpftop.verifier.values import Value, describe, value

_WITH_NULL = re.compile(r"if r\d+ [!=]= (?:0x)?0 ")
_MISC = re.compile(r"[m0?]*m[m0?]*$")  # a slot with bytes of unknown value
IS_CONTEXT = "R1 is the program's context when it starts"
MOST = 12  # steps: a reader rarely needs earlier ones

_NAMED = {
    "bpf_map_lookup_elem": "the lookup",
    "bpf_map_lookup_percpu_elem": "the lookup",
    "bpf_ringbuf_reserve": "the reservation",
}


def trace(
    lines: Sequence[str],
    at: int,
    name: str,
    quotes: Quotes,
    *,
    cut: bool = False,
    offset: bool = False,
    held: str = "",
) -> list[Step]:
    """The steps that led to the value of register `name` before the instruction in line `at`, oldest first.

    cut: the beginning of the log is missing. offset: if a pointer was moved by a register, follow that register, for
    messages about how far it was moved. held: the value of the register there, if the message shows it.
    """
    return _Trace(lines, name, quotes, cut, offset, held or last_known(lines, at, name)).run(at)


class _Trace:
    def __init__(self, lines: Sequence[str], name: str, quotes: Quotes, cut: bool, offset: bool, held: str) -> None:
        self._lines = lines
        self._target = name
        self._quotes = quotes
        self._cut = cut
        self._offset = offset
        self._frame = 0
        self._steps: list[Step] = []
        self._seen: set[tuple[int, str]] = set()
        self._checks: set[tuple[int, str]] = set()
        self._others: dict[str, tuple[int, Visit]] = {}  # registers that branches test → steps so far, the nearest one
        self._taken: Step | None = None
        self._packet = (
            packet.identity(held) if value(held).kind == "pkt" else ""
        )  # its identity, until a check is found
        self._null = value(held).maybe_null
        self._ended = False

    def run(self, at: int) -> list[Step]:
        visit = None
        for visit in back(self._lines, at):
            if not self._in_frame(visit):
                continue
            self._passed_over(visit)
            if self._null:
                self._copied_pointer(visit)
            elif self._offset and not self._packet:
                self._copied(visit)
            if not self._widened(visit):
                self._look(visit)
            if self._ended or len(self._steps) >= MOST:
                break
        else:
            self._before_all(visit, self._lines[at])
        return self._steps[::-1]

    def _in_frame(self, visit: Visit) -> bool:
        """Whether the instruction belongs to the function whose register is followed; the function may change here."""
        if visit.depth > self._frame:
            if self._target != "R0" or visit.does.op != "exit":
                return False
            self._frame = visit.depth  # its result is this function's R0
        elif visit.depth < self._frame:
            self._frame = visit.depth
            if self._target in CLOBBERED:
                self._step(visit, f"{self._target} is an argument of the function called here")
            else:
                self._ended = True
            return False
        return True

    def _look(self, visit: Visit) -> None:
        does = visit.does
        if does.op == "call":
            self._called(visit)
        elif does.op == "branch" and self._packet and (found := self._against_end(visit)):
            self._covered(visit, found)
        elif does.op == "branch":
            if self._target in (does.tested, does.source) or self._target in read(self._lines[visit.line]):
                self._checked(visit)
        elif does.target == self._target:
            {"move": self._moved, "load": self._loaded, "store": self._stored, "arithmetic": self._calculated}.get(
                does.op, self._set
            )(visit)

    def _called(self, visit: Visit) -> None:
        name = self._target
        callee = helpers.name(visit.does.callee)
        if name in CLOBBERED:
            self._step(visit, f"a call leaves R1 to R5 without a value, so what {name} held is gone", end=True)
        elif name == "R0":
            called = result_of_call(self._source(visit))
            subject = f"`{called}` (R0)" if called else "R0"
            what = "a function of the program" if callee.startswith("pc") else _NAMED.get(callee, f"`{callee}`")
            held = self._after(visit)
            self._step(visit, f"{subject} is what {what} returns" + (f": {describe(held)}" if held else ""), end=True)
        elif takes(callee, held := self._before(visit), last_known(self._lines, visit.line, "R1")):
            self._took(visit, held)

    def _took(self, visit: Visit, held: str) -> None:
        """Keep only the first such call on the path: later ones find nothing left to invalidate."""
        if self._taken:
            self._steps.remove(self._taken)
        why = f"after this call the pointer is no longer valid: {self._target} was {describe(held)}"
        self._taken = Step(visit.insn, visit.does.text, why, self._quotes.at(visit.line), took=held)
        self._steps.append(self._taken)

    def _checked(self, visit: Visit) -> None:
        """Add a branch if the verifier learned from it, or if a reader would think so."""
        if (visit.insn, self._target) in self._checks:
            return
        self._checks.add((visit.insn, self._target))
        before, after = self._before(visit), self._after(visit)
        if not before or not after:
            return
        known, learned = value(before), value(after)
        if _alike(known, learned):
            if self._target == visit.does.tested and known.kind == "scalar" and not learned.bounded:
                what = "it" if visit.does.wide else "the upper 32 bits, which it doesn't look at,"
                self._step(visit, f"this check leaves {what} open: {self._target} is still {describe(after)}")
            return
        way = "where the branch is taken" if visit.taken else "where the branch is not taken"
        self._step(visit, f"{way}, {self._target} is {describe(after)}")

    def _copied(self, visit: Visit) -> None:
        """Note a check of a copy that was changed by arithmetic: it bounds only the copy."""
        does = visit.does
        if does.op == "branch":
            self._others.setdefault(does.tested, (len(self._steps), visit))
        elif does.op == "move" and does.source == self._target and does.target in self._others:
            place, check = self._others.pop(does.target)
            if not _alike(value(self._before(check)), value(self._after(check))):
                return  # from 5.16 on, the kernel knows that plain copies are equal
            why = (
                f"this checks {does.target}, which was computed from {self._target}, "
                f"and proves nothing about {self._target} itself"
            )
            self._steps.insert(place, Step(check.insn, check.does.text, why, self._quotes.at(check.line)))
        elif does.op != "arithmetic":
            self._others.pop(does.target, None)

    def _against_end(self, visit: Visit) -> packet.Check | None:
        if visit.state:
            state = visit.state
        else:
            after = known_after(self._lines, visit.line)
            state = " ".join(f"{name}={held}" for name, held in after.items())
        return packet.check(visit, state, known_before(self._lines, visit.line))

    def _covered(self, visit: Visit, found: packet.Check) -> None:
        """Add the nearest check of this pointer into the packet."""
        if found.identity != self._packet:
            why = (
                f"this checks {found.register}, another pointer: a number that isn't constant was added in between, "
                "which makes a pointer that needs a check of its own"
            )
            self._step(visit, why, losses.OTHER_POINTER.format(insn=visit.insn, register=found.register), "program")
            return
        self._packet = ""
        if found.strict and found.covers == found.at:
            lost = losses.COUNTS_TOO_FEW.format(insn=visit.insn)
            self._step(
                visit, f"this check proves byte {found.at}, and the kernel counts {found.covers}", lost, "kernel"
            )
        else:
            self._step(visit, f"this check covers {found.covers} bytes of the packet (r={found.covers})")

    def _copied_pointer(self, visit: Visit) -> None:
        """Note a comparison with NULL of another register that holds the same pointer."""
        does = visit.does
        if does.op == "branch" and _WITH_NULL.match(does.text):
            self._others.setdefault(does.tested, (len(self._steps), visit))
        elif does.op == "move" and self._target in (does.target, does.source):
            other = does.source if does.target == self._target else does.target
            if other in self._others:
                place, check = self._others.pop(other)
                why = f"this compares {other} with NULL, and {self._target} is another copy of that pointer"
                step = Step(check.insn, check.does.text, why, self._quotes.at(check.line), checked=other)
                self._steps.insert(place, step)
        elif does.op != "arithmetic":
            self._others.pop(does.target, None)

    def _moved(self, visit: Visit) -> None:
        source = visit.does.source
        half = "" if visit.does.wide else "the lower 32 bits of "
        self._step(visit, f"{self._target} is a copy of {half}{source}{self._held(visit)}")
        self._target = source

    def _loaded(self, visit: Visit) -> None:
        does = visit.does
        if does.source:
            lost = self._lost_on_stack(visit)
            self._step(
                visit, f"{self._target} is read back from the stack at {does.source}{self._held(visit)}", lost, "kernel"
            )
            self._target = does.source
            return
        base = last_known(self._lines, visit.line, does.base)
        place = f"{describe(base)}" if base else does.base or "the packet"
        self._step(visit, f"{self._target} is read from memory: {place}{self._held(visit, ', and is ')}", end=True)
        if (self._offset or self._null) and (found := checked_before(self._lines, visit)):
            first, check = found
            lost = losses.AGAIN.format(check=check.insn, first=first.insn, second=visit.insn)
            self._step(check, f"this checks what instruction {first.insn} read from the same place", lost, "program")

    def _lost_on_stack(self, visit: Visit) -> str:
        """A sentence if a number lost its bounds on the stack, else ""."""
        slot, after = visit.does.source, value(self._after(visit))
        if not self._offset or (after.text and not (after.kind == "scalar" and _open(after))):
            return ""
        known = known_after(self._lines, visit.line)
        names = (slot, f"fp{int(slot[2:]) // 8 * 8}")  # states show slots of 8 bytes
        held = next(filter(None, (last_known(self._lines, visit.line, name) or known.get(name) for name in names)), "")
        if not (_MISC.match(held) if held else not after.text or after.text.startswith("inv")):
            return ""
        return losses.OVER_STACK.format(name=self._target, slot=slot, insn=visit.insn)

    def _stored(self, visit: Visit) -> None:
        slot, source = self._target, visit.does.source
        if source:
            self._step(visit, f"{source} is put on the stack at {slot}")
            self._target = source
        else:
            self._step(visit, f"a constant is put on the stack at {slot}", end=True)

    def _calculated(self, visit: Visit) -> None:
        does = visit.does
        before, after = self._before(visit), self._after(visit)
        self._step(visit, _change(self._target, before, after))
        if self._offset and does.source and value(before).kind != "scalar" and self._moves(visit, does):
            self._target = does.source

    def _moves(self, visit: Visit, does: Instruction) -> bool:
        """Whether the register that is added to a pointer may be a number the verifier doesn't know."""
        added = value(last_known(self._lines, visit.line, does.source))
        return added.kind in ("scalar", "") and added.low != added.high

    def _set(self, visit: Visit) -> None:
        self._step(visit, f"{self._target} is set here{self._held(visit)}", end=True)

    def _passed_over(self, visit: Visit) -> None:
        """Add a branch that jumps over instructions which would have written the register."""
        name = self._target.lower()
        if not visit.state or not name.startswith("r"):
            return
        writes = (f") {name} = ", f") w{name[1:]} = ")
        if any(write in line for line in self._lines[visit.line + 1 : visit.follows] for write in writes):
            self._step(visit, f"this branch is taken, past what writes {self._target} on the other path")

    def _widened(self, visit: Visit) -> bool:
        """Add the place where the verifier deliberately forgot a bound, to handle a loop; returns whether there was
        one.
        """
        if not visit.state or visit.does.target == self._target:
            return False
        known, left = value(self._before(visit)), value(self._after(visit))
        if not (known.kind == left.kind == "scalar" and known.bounded and not left.bounded):
            return False
        was = f"it was {describe(known.text)}, and is {describe(left.text)}"
        self._step(visit, f"the verifier forgets the bound of {self._target} here, so that the loop converges: {was}")
        return True

    def _before_all(self, earliest: Visit | None, refused: str) -> None:
        """Add a step for the beginning of the log or of the program, which the walk reached."""
        name, whole = self._target, earliest.insn == 0 if earliest else refused.lstrip().startswith("0:")
        if name == "R10":
            return
        if self._cut or not whole:
            why = f"{name} got its value before the beginning of this log"
        elif name == "R1":
            why = IS_CONTEXT
        else:
            why = f"nothing on this path gives {name} a value"
        self._steps.append(Step(None, "", why))

    def _before(self, visit: Visit) -> str:
        return last_known(self._lines, visit.line, self._target)

    def _after(self, visit: Visit) -> str:
        """The register's value after the instruction, on this path."""
        if visit.state:
            return read(visit.state).get(self._target, "")
        known = known_after(self._lines, visit.line).get(self._target)
        return known if known is not None else last_known(self._lines, visit.follows, self._target)

    def _held(self, visit: Visit, between: str = ": ") -> str:
        held = self._after(visit)
        return f"{between}{describe(held)}" if held else ""

    def _source(self, visit: Visit) -> str:
        place = self._quotes.at(visit.line)
        return place.text if place else ""

    def _step(self, visit: Visit, why: str, lost: str = "", fault: Fault = "unknown", *, end: bool = False) -> None:
        """Add a step; an instruction in a loop is added once."""
        if (visit.insn, self._target) not in self._seen:
            self._seen.add((visit.insn, self._target))
            place = self._quotes.at(visit.line)
            self._steps.append(
                Step(visit.insn, visit.does.text, why, place, lost=lost, fault=fault if lost else "unknown")
            )
        self._ended = self._ended or end


def _open(held: Value) -> bool:
    """Whether nothing is known about a number, or only that it was read as 4 bytes."""
    return not held.bounded or (held.low, held.high) == (0, 2**32 - 1)


def _alike(one: Value, other: Value) -> bool:
    return (one.kind, one.low, one.high) == (other.kind, other.low, other.high)


def _change(name: str, before: str, after: str) -> str:
    """What a calculation did to the known value of a register, in words."""
    if not before or not after:
        return f"{name} is calculated here" + (f": {describe(after)}" if after else "")
    known, left = value(before), value(after)
    if known.kind == left.kind == "scalar":
        if known.bounded and not left.bounded:
            return f"the bound of {name} is lost here: it was {describe(before)}, and is {describe(after)}"
        if left.bounded and left.low != left.high and not known.bounded:
            return f"this bounds {name}: it is {describe(after)}"
    if describe(before) == describe(after):
        return f"{name} is changed, and still is {describe(after)}"
    return f"{name} was {describe(before)}, and is {describe(after)}"
