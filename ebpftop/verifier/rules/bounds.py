"""Indices and sizes whose range the verifier doesn't know."""

import re

from ebpftop.verifier.rules.model import Held, rule
from ebpftop.verifier.values import value

_WIDEST = 2**32 - 1
_INDEX = "if ($index >= N)    // $index unsigned; N elements\n    return 0;"
_SIZE = "if ($size > sizeof(buffer))    // $size unsigned\n    return 0;"


def _maybe_negative(_match: re.Match[str], held: Held) -> bool:
    """Whether both ends of the offset are known, and it may lie before the beginning."""
    now = value(held.now)
    return now.bounded and now.low < 0 <= now.high


def _only_by_width(match: re.Match[str], held: Held) -> bool:
    """Whether the offset has no other bound than the 32 bits of a variable."""
    return _bounded(match, held) and value(held.now).high >= _WIDEST


def _bounded(_match: re.Match[str], held: Held) -> bool:
    now = value(held.now)
    return now.kind not in ("", "scalar") and now.bounded and now.low < now.high


def _bounded_as_signed(_match: re.Match[str], held: Held) -> bool:
    """Whether the number has an upper bound if interpreted as signed, and may be negative then."""
    now = value(held.now)
    bound = now.fields.get("smax32", "")
    return now.kind == "scalar" and now.high >= _WIDEST and bound.isdigit() and int(bound) < _WIDEST // 2


def _may_be_zero(_match: re.Match[str], held: Held) -> bool:
    return value(held.now).low == 0


RULES = (
    # an index
    rule(
        "unbounded_access",
        r"@reg unbounded memory access, make sure to bounds check",
        "The offset may be negative here: $reg is $now, and the kernel treats offsets as unsigned in places, where a "
        "negative one is huge. Make the index unsigned before adding it, so that it can't lie before the beginning, "
        "or add the constant first.",
        "p += $index & (N - 1);    // $index unsigned; N elements, a power of two",
        when=_maybe_negative,
    ),
    rule(
        "unbounded_access",
        r"@reg unbounded memory access, make sure to bounds check",
        "Nothing bounds the offset but the 32 bits of its variable: $reg is $now. If the source checks or masks it, "
        "the compiler tested another register than the one it adds, or the value was read again from memory. Keep it "
        "in one local variable, stop the compiler from copying it, and check it right before the access.",
        'asm volatile("" : "+r"($index));    // the check below is then of this very register\n'
        "if ($index >= N)    // $index unsigned; N elements\n    return 0;",
        when=_only_by_width,
    ),
    rule(
        "unbounded_access",
        r"@reg unbounded memory access, make sure to bounds check",
        "The kernel rejects the offset although it is bounded: $reg is $now. The bounds are too wide, or hold only "
        "for the signed value. Tighten the check on the unsigned value just before the access.",
        _INDEX,
        when=_bounded,
    ),
    rule(
        "unbounded_access",
        r"math between @type pointer and register with unbounded min value",
        "The program adds a number to $type, and the number may be negative or arbitrarily large as far as the "
        "verifier can tell. Bound the index before using it. Check the very variable that is added: a value read "
        "again from memory is unknown again.",
        _INDEX,
    ),
    rule(
        "unbounded_access",
        r"@reg unbounded memory access, make sure to bounds check",
        "The index may have any value here as far as the verifier can tell, so the access may land anywhere. Bound it "
        "just before the access; if N is a power of two, `i &= N - 1` works too.",
        _INDEX,
    ),
    rule(
        "unbounded_access",
        r"@reg min value is negative, either use unsigned index",
        "The index may be negative as far as the verifier can tell. Make it unsigned, or test `>= 0` as well as the "
        "upper bound.",
        "if ($index < 0 || $index >= N)\n    return 0;",
    ),
    rule(
        "unbounded_access",
        r"variable stack (?:read|access) ",
        "This kernel (before Linux 5.12) reads and writes the stack only at constant offsets, so a bound on the index "
        "doesn't help. Keep the array in a per-CPU array map, or unroll the loop so that every index is a constant.",
        "u32 zero = 0;\nstruct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);\nif (!scratch)\n    return "
        "0;",
        fault="kernel",
    ),
    rule(
        "unbounded_access",
        (
            r"invalid unbounded variable-offset",
            r"variable offset stack pointer cannot be passed into helper",
        ),
        "An array on the stack is accessed at an index the verifier can't bound. Bound the index just before the "
        "access, or keep the array in a map.",
        _INDEX,
    ),
    rule(
        "unbounded_access",
        r"@reg invalid variable (?:buffer offset|offset to flow keys)",
        "The offset into this buffer isn't a constant, and such buffers may be accessed only at constant offsets. "
        "Unroll the loop, or copy the buffer first.",
    ),
    rule(
        "unbounded_access",
        r"@reg is (?:ptr_)?(?P<struct>\S+) invalid variable offset",
        "The program reads `$struct` at an offset that isn't a constant. Kernel objects may be read directly only by "
        "field; copy an element of an array inside it with a helper.",
        "bpf_probe_read_kernel(&value, sizeof(value), &$name->array[$index]);",
    ),
    # a size
    rule(
        "unbounded_access",
        r"@reg min value is negative, either use unsigned or",
        "Argument $nth of $call is a size, and may be negative here as far as the verifier can tell. Make it unsigned "
        "and bound it just before the call; if SIZE is a power of two, `n &= SIZE - 1` works too.",
        _SIZE,
    ),
    rule(
        "unbounded_access",
        r"@reg unbounded memory access, use",
        "Argument $nth of $call is a size, and it is checked as a signed number only: it may be negative, which as a "
        "size is huge. $reg is $now. Make the variable unsigned, or test that it isn't negative as well.",
        _SIZE,
        when=_bounded_as_signed,
    ),
    rule(
        "unbounded_access",
        r"@reg unbounded memory access, use",
        "Argument $nth of $call is a size with no upper bound that the verifier can see. Bound it just before the "
        "call; if SIZE is a power of two, `n &= SIZE - 1` works too.",
        _SIZE,
    ),
    rule(
        "unbounded_access",
        r"(?:@reg )?invalid zero-sized read",
        "The size may be 0 here, and $call doesn't accept an empty buffer. Skip the call when the size is 0, or pass "
        "a constant size.",
        "if (!$size)\n    return 0;",
    ),
    rule(
        "unbounded_access",
        r"@reg memory size (?P<size>\d+) is too large",
        "Argument $nth of $call is a size of $size bytes, more than any buffer may have. A negative number in a "
        "signed variable looks like this: make it unsigned and bound it.",
    ),
)
