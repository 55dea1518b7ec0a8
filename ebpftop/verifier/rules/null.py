"""Pointers that may be NULL."""

import re

from ebpftop.verifier.rules.model import Held, rule
from ebpftop.verifier.values import value

_CHECK = "if (!$name)\n    return 0;"


def _is_null(_match: re.Match[str], held: Held) -> bool:
    now = value(held.now)
    return now.kind == "scalar" and now.low == now.high == 0


def _other_checked(_match: re.Match[str], held: Held) -> bool:
    return bool(held.checked)


RULES = (
    rule(
        "null_deref",
        (r"@reg invalid mem access '@or_null'", r"@reg type=@or_null expected="),
        "A branch compares $checked with NULL, and $reg is a copy of $checked made before that. This kernel doesn't "
        "carry what a check proves over to copies, as kernels do from 4.10 on. Use the very variable that was "
        "checked, or keep the compiler from making the copy before the check.",
        'asm volatile("" : "+r"($name));    // right after the check',
        when=_other_checked,
        fault="kernel",
    ),
    rule(
        "null_deref",
        (r"@reg invalid mem access 'rcu_ptr_or_null_\w*'", r"@reg type=rcu_ptr_or_null_\w* expected="),
        "This pointer may be NULL here: each load of a field marked `__rcu` is a pointer of its own, and a check of an "
        "earlier load says nothing of this one. Load the field once into a variable, check that, and use that (in "
        "sleepable programs inside of `bpf_rcu_read_lock`); or read through it with `BPF_CORE_READ`.",
        "p = owner->field;\nif (!p)\n    return 0;",
    ),
    rule(
        "null_deref",
        r"@reg invalid mem access '(?:scalar|inv)'",
        "$pointer is NULL on this path: what gave it can give NULL, as an iterator does at its end, or a check led "
        "here with NULL. Check it before the first use, and leave on the path where it is NULL.",
        _CHECK,
        when=_is_null,
    ),
    rule(
        "null_deref",
        r"@reg invalid mem access 'map_value_or_null'",
        "$pointer may be NULL here: a map lookup returns NULL when the key is absent, and nothing checked it. Check "
        "it between the lookup and the first use.",
        _CHECK,
    ),
    rule(
        "null_deref",
        r"@reg invalid mem access '(?:ringbuf_|alloc_)?mem_or_null'",
        "$pointer may be NULL here: memory is not always to be had (a ring buffer can be full), and nothing checked "
        "it. Check it before the first use, and count the loss.",
        _CHECK,
    ),
    rule(
        "null_deref",
        r"@reg invalid mem access '@or_null'",
        "$pointer may be NULL here ($type), and nothing checked it. Check it before the first use.",
        _CHECK,
    ),
    rule(
        "null_deref",
        r"@reg type=@or_null expected=",
        "Argument $nth of $call may be NULL here, and the call takes no NULL. Check the pointer before the call.",
        _CHECK,
    ),
    rule(
        "null_deref",
        r"(?:@reg )?pointer arithmetic on @or_null prohibited",
        "The program calculates with a pointer that may still be NULL; afterwards a check for NULL would prove "
        "nothing. Check the pointer first, then add to it.",
        _CHECK,
    ),
    rule(
        "null_deref",
        (
            r"Possibly NULL pointer passed to helper arg(?P<nth>\d)",
            r"Possibly NULL pointer passed to (?:helper |trusted )@arg",
        ),
        "Argument $nth of $call may be NULL here, and the call takes no NULL. Check the pointer before the call.",
        _CHECK,
    ),
    rule(
        "null_deref",
        r"@arg is expected to be non-NULL",
        "Argument $nth of this function is declared as never NULL, and may be NULL here. Check the pointer before the "
        "call, or take `__arg_nonnull` off the parameter and check inside.",
        _CHECK,
    ),
)
