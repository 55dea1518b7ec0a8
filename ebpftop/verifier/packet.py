"""Interprets checks against the packet's end: how many bytes one covers, and for which pointers
(find_good_pkt_pointers).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ebpftop.verifier.path import Visit
from ebpftop.verifier.registers import read
from ebpftop.verifier.values import value

_OPERATOR = re.compile(r"if [rw]\d+ (\S+) ")
# (operator, branch taken) that prove the pointer below the end, not at it; the pointer is left of the operator.
_BELOW = {(">=", False), ("<", True)}
_BELOW_FROM_RIGHT = {("<=", False), (">", True)}


@dataclass(frozen=True, slots=True)
class Check:
    """register: the pointer that is compared. identity: pointers with equal identities differ only by constants.
    covers: bytes, from where the pointer began. at: how far it was moved. strict: whether it is proven below the
    packet's end.
    """

    register: str
    identity: str
    covers: int
    at: int
    strict: bool


def check(visit: Visit, line: str, before: dict[str, str]) -> Check | None:
    """What a branch proves about a pointer into the packet; None if it doesn't compare one with the packet's end.

    line: the state after the branch. before: what else is known, by register.
    """
    does = visit.does
    held = {name: value(text) for name, text in (before | read(line)).items() if name in (does.tested, does.source)}
    ends = [name for name, each in held.items() if each.kind == "pkt_end"]
    pointers = [name for name, each in held.items() if each.kind == "pkt"]
    operator = _OPERATOR.match(does.text)
    if len(ends) != 1 or len(pointers) != 1 or operator is None:
        return None
    fields = held[pointers[0]].fields
    form = (operator[1], visit.taken)
    return Check(
        register=pointers[0],
        identity=fields.get("id", "0"),
        covers=_number(fields.get("r", "0")),
        at=_number(fields.get("off", "0")),
        strict=form in (_BELOW if does.tested == pointers[0] else _BELOW_FROM_RIGHT),
    )


def identity(text: str) -> str:
    """The identity of the packet pointer in a register: pointers with equal identities differ only by constants."""
    return value(text).fields.get("id", "0")


def _number(text: str) -> int:
    return int(text) if text.removeprefix("-").isdigit() and len(text) < 12 else 0
