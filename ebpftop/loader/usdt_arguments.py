"""The arguments of USDT probes for the C: macros `USDT_NAME_1(ctx)`, `USDT_NAME_2(ctx)`, … that return their values.

A note says where each argument is: a size in bytes, negative if it is signed, `@`, and an operand in assembler syntax.
Notes are untrusted: arguments that aren't understood to the last character are left out, and no text of a note reaches
the compiler.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ebpftop.loader.targets import Place

_MOST = 12  # arguments that sys/sdt.h knows
_LONGEST = 1024
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_TYPES = {f"{sign}{size}": f"{kind}{size * 8}" for sign, kind in (("", "u"), ("-", "s")) for size in (1, 2, 4, 8)}

_X86 = re.compile(r"(-?[1248])@(?:%([a-z0-9]+)|\$(-?\d{1,18})|(-?\d{1,9})?\(%([a-z0-9]+)\))(?: |$)", re.ASCII)
_ARM = re.compile(r"(-?[1248])@(?:([xw]\d+|sp)|(-?\d{1,18})|\[([xw]\d+|sp)(?:, ?(-?\d{1,9}))?\])(?: |$)", re.ASCII)


def _x86_registers() -> dict[str, str]:
    """Fields of pt_regs by the names of registers and of their lower parts."""
    names = {f"r{n}{part}": f"r{n}" for n in range(8, 16) for part in ("", "d", "w", "b")}
    for one in "abcd":
        names |= {f"{width}{one}x": f"{one}x" for width in ("r", "e", "")} | {f"{one}l": f"{one}x"}
    for one in ("si", "di", "bp", "sp"):
        names |= {f"{width}{one}": one for width in ("r", "e", "")} | {f"{one}l": one}
    return names


_X86_REGISTERS = _x86_registers()
_ARM_REGISTERS = {"sp": "sp"} | {f"{width}{n}": f"regs[{n}]" for width in "xw" for n in range(31)}


def definitions(places: Iterable[Place]) -> list[str]:
    """The compiler's arguments. A probe whose arguments differ between its sites has no macros."""
    sites: dict[str, set[str]] = {}
    for place in places:
        if place.mechanism == "usdt" and _NAME.fullmatch(place.name):
            sites.setdefault(place.name, set()).add(place.arguments)
    return [
        f"-DUSDT_{name}_{number}(ctx)={value}"
        for name, texts in sites.items()
        if len(texts) == 1
        for number, value in enumerate(values(next(iter(texts))), 1)
    ]


def values(text: str, machine: str = "") -> list[str]:
    """C expressions of `ctx`, a struct pt_regs *, one per argument; none if one of them isn't understood."""
    is_x86 = (machine or os.uname().machine) == "x86_64"
    found: list[str] = []
    at = 0
    while at < len(text) <= _LONGEST and len(found) < _MOST:
        match = (_X86 if is_x86 else _ARM).match(text, at)
        value = _x86(match) if match and is_x86 else _arm(match) if match else None
        if match is None or value is None:
            return []
        found.append(value)
        at = match.end()
    return found


def _x86(match: re.Match[str]) -> str | None:
    size, register, constant, offset, base = match.groups()
    return _value(_TYPES[size], _X86_REGISTERS, register, constant, base, offset)


def _arm(match: re.Match[str]) -> str | None:
    size, register, constant, base, offset = match.groups()
    return _value(_TYPES[size], _ARM_REGISTERS, register, constant, base, offset)


def _value(
    kind: str,
    registers: dict[str, str],
    register: str | None,
    constant: str | None,
    base: str | None,
    offset: str | None,
) -> str | None:
    if constant is not None:
        return f"(({kind}){int(constant)}LL)"
    field = registers.get(register or base or "")
    if field is None:
        return None
    if register:
        return f"(({kind})(ctx)->{field})"
    address = f"(const void *)((ctx)->{field} + {int(offset or 0)}LL)"
    return f"({{ {kind} value_ = 0; bpf_probe_read_user(&value_, sizeof(value_), {address}); value_; }})"
