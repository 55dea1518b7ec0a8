"""Pointers that may be NULL."""

import re

from ebpftop.verifier.rules.model import Held, rule
from ebpftop.verifier.values import value

_CHECK = "if (!$name)\n    return 0;"


def _is_null(_match: re.Match[str], held: Held) -> bool:
    now = value(held.now)
    return now.kind == "scalar" and now.low == now.high == 0


RULES = (
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
