"""The names that fill a rule's text: from the message, the rejected instruction, and the author's line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ebpftop.verifier.rules.model import NOTHING, Held
from ebpftop.verifier.rules.types import any_of, map_type, phrase
from ebpftop.verifier.values import describe

# The pointers that a line of C dereferences: `*p` in the place of an operand, `p->` and `p[`.
_FOLLOWED = re.compile(r"(?:^|[=(,;&|!+\-<>?:{}~]|\breturn)\s*\*+\s*(\w+)|(?<![\w.>])(\w+)\s*(?:->|\[)")
# What a line reads of a type: the macros of bpf_core_read.h, or `p->field`.
_READ = re.compile(
    r"\b(?:BPF_CORE_READ\w*|BPF_PROBE_READ\w*|bpf_core_\w+|__builtin_preserve_\w+)\([^()]*(?:\([^()]*\)[^()]*)*\)"
)
_FIELD = re.compile(r"(?<![\w.>])\w+(?:\[\w+\])?(?:(?:->|\.)\w+)+")
_KFUNC = re.compile(r"\b((?:bpf|scx|cgroup|task|hid|crash)_\w+)\s*\(")
_INDEX = re.compile(r"\[\s*([A-Za-z_]\w*)\s*\]")
_NAME = re.compile(r"[A-Za-z_]\w*")
_CALLED = re.compile(r"\bcall (\w+)#")
_REGISTER = re.compile(r"R([1-5])")
_ON_STACK = re.compile(r"\*\(R11-(\d+)\)")  # the sixth argument and further ones, 7.2
_COUNTED = re.compile(r"args?#?(\d+)")  # from 0
_IN_REGISTERS = 5
_IN_WORDS = {"type": phrase, "types": any_of, "map_type": map_type}


def names(caught: Mapping[str, str | None], insn_text: str, source_text: str, held: Held = NOTHING) -> dict[str, str]:
    """The groups that a rule caught, with `type`, `types` and `map_type` in words, and names that every rule may use.

    `nth`: which argument, from 1. `call`: the function called. `pointer` and `name`: the pointer on the author's line.
    `index` and `size`: variables there. `taker` and `was`: the call that invalidated a pointer, and what that was.
    """
    words = {key: text or "" for key, text in caught.items()}
    words |= {key: describes(words[key]) for key, describes in _IN_WORDS.items() if key in words}
    nth = words.get("nth") or _nth(words.get("arg") or words.get("reg") or "")
    call = _CALLED.search(insn_text)
    given = _given(source_text, call[1], int(nth)) if call and nth else ""
    followed = given or _only(one or other for one, other in _FOLLOWED.findall(source_text))
    if words.get("off", "").removeprefix("-").isdigit() and words.get("width", "").isdigit():
        words["need"] = str(int(words["off"]) + int(words["width"]))
    return {
        "read": _read(source_text),
        "kfunc": _quoted(_only(_KFUNC.findall(source_text)), "a function of its own"),
        "checked": held.checked,
        "now": describe(held.now),
        "pointer": f"`{followed}`" if followed else "This pointer",
        "name": followed or "p",
        "index": _only(_INDEX.findall(source_text)) or "i",
        "size": given or "size",
        "call": f"`{call[1]}`" if call else "this call",
        "nth": nth,
        "taker": f"`{held.taker}`" if held.taker else "A call",
        "was": describe(held.was),
    } | words


def _read(source_text: str) -> str:
    """The expression that a line of C reads, as it is written there."""
    found = _only(_READ.findall(source_text)) or _only(_FIELD.findall(source_text))
    return _quoted(found or source_text.strip(), "something that the program uses here")


def _quoted(text: str, otherwise: str) -> str:
    return f"`{text}`" if text else otherwise


def _only(found: Iterable[str]) -> str:
    """The name, if there is exactly one, else ""."""
    different = set(found)
    return different.pop() if len(different) == 1 else ""


def _nth(place: str) -> str:
    """The number of the argument that a message is about, from 1: R2 and arg#1 are both the second."""
    if match := _REGISTER.fullmatch(place):
        return match[1]
    if match := _COUNTED.fullmatch(place):
        return str(int(match[1]) + 1)
    if match := _ON_STACK.fullmatch(place):
        return str(_IN_REGISTERS + int(match[1]) // 8)
    return ""


def _given(source_text: str, function: str, nth: int) -> str:
    """The name that a line of C passes as the nth argument of a function, "" if it isn't a plain name."""
    _, called, rest = source_text.partition(f"{function}(")
    if not called:
        return ""
    depth, start, arguments = 0, 0, []
    for at, letter in enumerate(rest):
        if letter in "([{":
            depth += 1
        elif letter in ")]}" and depth:
            depth -= 1
        elif letter in ",)" and not depth:
            arguments.append(rest[start:at].strip())
            start = at + 1
            if letter == ")":
                break
    if len(arguments) < nth:
        return ""
    return arguments[nth - 1] if _NAME.fullmatch(arguments[nth - 1]) else ""
