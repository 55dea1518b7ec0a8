"""What the verifier knew of one register, `map_value(map=counts,ks=4,vs=8)`, as numbers and in words.

Source: print_reg_state in kernel/bpf/log.c, and in kernel/bpf/verifier.c of 5.15, which calls numbers `inv` and bounds
`umax_value`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

S64 = (-(2**63), 2**63 - 1)
U64 = (0, 2**64 - 1)

_LONGEST = 1024  # characters: the kernel's own limit of one message, BPF_VERIFIER_TMP_LOG_SIZE
_CONSTANT = re.compile(r"(?:inv)?P?(-?\d+|0x[0-9a-f]+)$")
_KIND = re.compile(r"P?([a-z][\w.]*?)(-?\d+)?(?:\((.*)\))?$")
_STACK = re.compile(r"fp(?:\[\d+\])?(-?\d+)$")
_NUMBER = re.compile(r"-?(?:0x[0-9a-f]+|\d+)$")
_OLD = {"u32_min": "umin32", "u32_max": "umax32", "s32_min": "smin32", "s32_max": "smax32"}
_PLAIN = {
    "ctx": "the program's context",
    "pkt": "packet data",
    "pkt_meta": "the packet's metadata",
    "pkt_end": "the packet's end",
    "flow_keys": "the flow's keys",
    "buf": "a buffer",
    "mem": "memory",
    "ringbuf_mem": "a ring buffer record",
    "alloc_mem": "allocated memory",
    "map_key": "a map's key",
    "func": "a function",
    "sock": "a socket",
    "sock_common": "a socket",
    "tcp_sock": "a TCP socket",
    "dynptr_ptr": "a dynptr",
}


@dataclass(frozen=True, slots=True)
class Value:
    """kind: the kernel's name, "scalar" also for the old `inv`; "" if the text isn't the kernel's. low, high: bounds
    that the verifier knew, of the number or of the variable part of a pointer's offset. fields: those in parentheses.
    """

    text: str
    kind: str
    low: int
    high: int
    fields: dict[str, str]

    @property
    def maybe_null(self) -> bool:
        return "or_null" in self.kind

    @property
    def bounded(self) -> bool:
        """Whether both ends are known: low isn't -2⁶³, and high isn't 2⁶³ - 1 or more."""
        return self.low > S64[0] and self.high < S64[1]


def value(text: str) -> Value:
    """Read the text after `R0=`. Never fails."""
    text = text.strip()[:_LONGEST]
    if match := _CONSTANT.match(text):
        number = _integer(match[1])
        return Value(text, "scalar", number, number, {})
    if match := _STACK.match(text):
        return Value(text, "fp", 0, 0, {"off": match[1]})
    match = _KIND.match(text)
    if not match:
        return Value(text, "", *S64, {})
    fields = _fields(match[3] or "")
    kind = {"inv": "scalar"}.get(match[1], match[1])
    low, high = _range(fields) if kind == "scalar" or fields.keys() & _LIMITS else (0, 0)
    return Value(text, kind, low, high, fields)


_LIMITS = {"smin", "smax", "umin", "umax", "var_off"}


def _fields(inside: str) -> dict[str, str]:
    """`smin=smin32=0,umax_value=7` as names and values, old names as the new ones."""
    fields: dict[str, str] = {}
    for part in inside.split(","):
        *names, content = part.split("=")
        for name in names:
            name = name.strip().removesuffix("_value")
            fields[_OLD.get(name, name)] = content
    return fields


def _range(fields: dict[str, str]) -> tuple[int, int]:
    """The range: signed if the value may be negative, else unsigned."""
    smin, smax = _number(fields, "smin", S64[0]), _number(fields, "smax", S64[1])
    umin, umax = _number(fields, "umin", 0), _number(fields, "umax", U64[1])
    if smin >= 0 or umax <= S64[1]:
        return max(smin, umin), min(smax if smax >= 0 else umax, umax)
    return (umin, umax) if umin and (smin, smax) == S64 else (smin, smax)


def _number(fields: dict[str, str], name: str, default: int) -> int:
    text = fields.get(name, "")
    return _integer(text) if _NUMBER.match(text) else default


def _integer(text: str) -> int:
    return int(text, 16 if "x" in text else 10)


def describe(text: str) -> str:
    """A register's value in words that fit after "is": "a number from 0 to 7"; unknown ones unchanged."""
    read = value(text)
    if read.kind == "scalar":
        return _number_in_words(read)
    words = _kind_in_words(read)
    if not words:
        return text
    off = _number(read.fields, "off", 0) if read.kind != "fp" else 0
    if off or read.low or read.high:
        where = _between(read.low + off, read.high + off)
        words += f" at offset {where}" if read.low == read.high else f" at an offset {where}"
    return words + (" or NULL" if read.maybe_null else "")


def _number_in_words(read: Value) -> str:
    if read.low == read.high:
        return f"the number {read.low}"
    if (read.low, read.high) == S64:
        return "any number"
    return f"a number {_between(read.low, read.high)}"


def _between(low: int, high: int) -> str:
    if low == high:
        return str(low)
    if low == S64[0]:
        return f"of at most {high}, maybe negative"
    if high >= S64[1]:
        return f"from {low}, without an upper bound"
    return f"from {low} to {high}"


def _kind_in_words(read: Value) -> str:
    kind = read.kind.replace("_or_null", "").replace("or_null_", "")
    name, size = read.fields.get("map", ""), read.fields.get("vs", "")
    if kind == "fp":
        below = -_number(read.fields, "off", 0)
        return f"the stack, {below} bytes below the frame pointer" if below else "the frame pointer"
    if kind == "map_ptr":
        return f"the map {name}" if name else "a map"
    if kind == "map_value":
        return f"a value{f' of {size} bytes' if size else ''} in {f'the map {name}' if name else 'a map'}"
    if kind in _PLAIN:
        width = read.fields.get("sz") or read.fields.get("mem_size")
        return _PLAIN[kind] + (f" of {width} bytes" if width else "")
    if match := re.match(r"((?:[a-z]+_)*?)ptr_(\w+)$", kind):
        trust = match[1].replace("_", " ").strip()
        return f"a pointer to struct {match[2]}" + (f" ({trust})" if trust else "")
    return ""
