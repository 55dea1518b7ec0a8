"""Checks against the packet's end: how many bytes one covers, and for which pointers (find_good_pkt_pointers)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ebpftop.verifier.path import Visit
from ebpftop.verifier.registers import read
from ebpftop.verifier.values import value

_OPERATOR = re.compile(r"if [rw]\d+ (\S+) ")
# Where the pointer is left of the operator: whether it lies below the end, and not at it, behind the branch.
_BELOW = {(">=", False), ("<", True)}
_BELOW_FROM_RIGHT = {("<=", False), (">", True)}


@dataclass(frozen=True, slots=True)
class Check:
    """register: the pointer that is compared. identity: those of one differ only by constants. covers: bytes, counted
    from where the pointer began. at: how far it was moved. strict: whether it is proven to lie below the packet's end.
    """

    register: str
    identity: str
    covers: int
    at: int
    strict: bool


def check(visit: Visit, line: str, before: dict[str, str]) -> Check | None:
    """What a branch proves of a pointer into the packet, None where it compares none with the packet's end.

    line: what tells of registers behind the branch. before: what is known besides, by register.
    """
    does = visit.does
    held = {name: value(text) for name, text in (before | read(line)).items() if name in (does.tested, does.source)}
    ends = [name for name, each in held.items() if each.kind == "pkt_end"]
    pointers = [name for name, each in held.items() if each.kind == "pkt"]
    operator = _OPERATOR.match(does.text)
    if len(ends) != 1 or len(pointers) != 1 or operator is None:
        return None
    said = held[pointers[0]].said
    form = (operator[1], visit.taken)
    return Check(
        register=pointers[0],
        identity=said.get("id", "0"),
        covers=_number(said.get("r", "0")),
        at=_number(said.get("off", "0")),
        strict=form in (_BELOW if does.tested == pointers[0] else _BELOW_FROM_RIGHT),
    )


def identity(text: str) -> str:
    """Which pointer into the packet a register holds: those of one identity differ only by constants."""
    return value(text).said.get("id", "0")


def _number(text: str) -> int:
    return int(text) if text.removeprefix("-").isdigit() and len(text) < 12 else 0
