"""Decodes one instruction as the kernel's disassembler writes it (kernel/bpf/disasm.c): operation, target and
source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Op = Literal["move", "load", "constant", "arithmetic", "store", "call", "branch", "jump", "exit", "other"]

# `N: (opcode) text`; after the text there may be `; R0=…`, or, after a jump, a state or a message.
SHOWN = re.compile(r"\s*(\d{1,9}): \([0-9a-f]{2}\) (.*)")

CLOBBERED = frozenset({"R1", "R2", "R3", "R4", "R5"})  # by every call

_REGISTER = r"[rw](?P<{}>1?\d)"
_INTO = _REGISTER.format("into")
_FROM = _REGISTER.format("source")
_BEHIND_JUMP = re.compile(r"(goto\w* pc[+-]\d+).*")
_MEMORY = r"\(\w+ \*\)\(r(?P<base>1?\d) ?(?P<offset>[+-] ?\d{1,9})\)"
_FORMS: tuple[tuple[Op, re.Pattern[str]], ...] = (
    ("move", re.compile(rf"{_INTO} = (?:\(s\d+\))?{_FROM}(?!\d)")),
    ("load", re.compile(rf"{_INTO} = \*{_MEMORY}")),
    ("load", re.compile(rf"{_INTO} = \*\(\w+ \*\)skb\[")),
    ("load", re.compile(rf"{_INTO} = (?:atomic\w+|load_acquire)\(?\({_MEMORY}")),
    ("arithmetic", re.compile(rf"{_INTO} = (?:-[rw]|be\d+ |le\d+ |bswap\d+ |addr_space_cast\()")),
    ("constant", re.compile(rf"{_INTO} = (?:-?\d|0x)")),
    ("arithmetic", re.compile(rf"{_INTO} (?:[-+*/%|&^]|s/|s%|<<|s?>>)= (?:{_FROM}(?!\d)|-?(?:0x)?[0-9a-f]+)")),
    ("store", re.compile(rf"(?:lock )?\*{_MEMORY} (?:[-+*/%|&^]?=) (?:{_FROM}(?!\d))?")),
    ("branch", re.compile(rf"if {_REGISTER.format('tested')} \S+ (?:{_FROM}(?!\d)|\S+) goto")),
    ("branch", re.compile(r"may_goto|goto_or_nop")),
    ("call", re.compile(r"call (?P<callee>\S+)")),
    ("jump", re.compile(r"goto|gotol")),
    ("exit", re.compile(r"exit\b")),
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """op: its kind. target: the register or stack slot it writes ("R1", "fp-8"), "" for none or an unknown one. source:
    the register or slot the value comes from, "" if none. base: the register through which it reads or writes memory,
    "" if it doesn't. callee: of a call, `bpf_map_lookup_elem#1` or `pc+3`. wide: all 64 bits.
    """

    text: str
    op: Op
    target: str = ""
    source: str = ""
    base: str = ""
    offset: int = 0
    tested: str = ""
    callee: str = ""
    wide: bool = True

    @property
    def uses(self) -> tuple[str, ...]:
        """The registers it needs, in the order a reader looks for them."""
        needs = [self.base, self.tested, self.target if self.op == "arithmetic" else "", self.source]
        return tuple(dict.fromkeys(name for name in needs if name.startswith("R")))


def decode(text: str) -> Instruction:
    """Read an instruction's text, without number and opcode. Unknown ones get the op "other"; never fails."""
    return _decode(text.partition(";")[0].rstrip())


@lru_cache(maxsize=4096)  # a log shows the same few instructions repeatedly
def _decode(text: str) -> Instruction:
    text = _BEHIND_JUMP.sub(r"\1", text)
    for op, form in _FORMS:
        if match := form.match(text):
            return _instruction(op, text, match.groupdict())
    return Instruction(text, "other")


def _instruction(op: Op, text: str, found: dict[str, str | None]) -> Instruction:
    base = _name(found.get("base"))
    offset = int((found.get("offset") or "0").replace(" ", ""))
    target, source = _name(found.get("into")), _name(found.get("source"))
    slot = f"fp{offset}" if base == "R10" and offset < 0 else ""
    if op == "load":
        source = slot
    elif op == "store":
        target = slot
    elif op == "call":
        target = "R0"
    return Instruction(
        text=text,
        op=op,
        target=target,
        source=source,
        base=base,
        offset=offset,
        tested=_name(found.get("tested")),
        callee=found.get("callee") or "",
        wide=not text.startswith(("w", "if w")),
    )


def _name(number: str | None) -> str:
    return f"R{number}" if number else ""
