"""Pointers that a call invalidated: their object was released, or the packet may have moved."""

import re

from ebpftop.verifier.rules.model import Held, rule
from ebpftop.verifier.taken import of_packet

_ACCESS = r"@reg invalid mem access '(?:scalar|inv)'"
_ARGUMENT = r"@reg type=(?:scalar|inv) expected="
_MOVED = (
    "$taker may move the packet or change its length, so earlier pointers into it are no longer valid. Load `data` "
    "and `data_end` from the context again after the call, and check the length again."
)
_RELOAD = (
    "data = (void *)(long)ctx->data;\ndata_end = (void *)(long)ctx->data_end;\nif (data + N > data_end)\n    return 0;"
)


def _of_packet(_match: re.Match[str], held: Held) -> bool:
    return of_packet(held.was)


def _given_back(_match: re.Match[str], held: Held) -> bool:
    return bool(held.was) and not of_packet(held.was)


RULES = (
    rule("invalid_mem_access", _ACCESS, _MOVED, _RELOAD, when=_of_packet),
    rule("helper_arg_type", _ARGUMENT, _MOVED, _RELOAD, when=_of_packet),
    rule(
        "invalid_mem_access",
        _ACCESS,
        "$taker took what this points at, $was: the program no longer owns it, and it may be freed or reused. Finish "
        "using it before that call, and don't use the pointer afterwards.",
        when=_given_back,
    ),
    rule(
        "helper_arg_type",
        _ARGUMENT,
        "$taker took what argument $nth of $call points at, $was: the program no longer owns it. Release it once on "
        "each path, after its last use, and don't pass the pointer on afterwards.",
        when=_given_back,
    ),
)
