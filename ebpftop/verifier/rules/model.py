"""What a rule is: the complaint it recognises, its kind, and the words for a person who wrote some C."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from string import Template
from typing import Literal

Kind = Literal[
    "null_deref",  # a pointer that may be NULL
    "invalid_mem_access",  # what is no memory for the program, or only to be read
    "unbounded_access",  # an index or a size whose range the verifier can't tell
    "oob_map_value",  # outside of a map's value or key
    "oob_mem",  # outside of other memory: a record, a buffer, a struct
    "oob_stack",  # outside of the stack, or of an array on it
    "oob_packet",  # beyond the checked part of a packet
    "ctx_access",  # the program's context, at a place it doesn't have
    "misaligned",  # not at a multiple of its size
    "uninitialised_reg",  # a variable without a value
    "uninitialised_stack",  # bytes of the stack never written
    "pointer_arith",  # calculating with a pointer
    "helper_arg_type",  # what a helper is given
    "kfunc_arg",  # what a kernel function is given
    "unknown_func",  # a function that isn't there, or not for this program
    "map_type",  # a map of the wrong type for the program or the call
    "bad_map_fd",  # a map that isn't there
    "unreleased_ref",  # an object not given back, or given back wrongly
    "lock",  # spin locks, RCU sections, preemption
    "irq",  # interrupts off
    "iterator",  # open-coded iterators
    "dynptr",  # dynamic pointers
    "kptr",  # what the kernel manages in map values: pointers, timers, lists, trees
    "sleepable",  # what may sleep where nothing may
    "unbounded_loop",  # a loop or recursion that may not end
    "insn_limit",  # a program too long or too branched to follow
    "stack_too_large",  # more than the 512 bytes there are, or calls too deep
    "bad_return",  # the value a program or function returns
    "bad_instruction",  # an instruction or a jump the kernel doesn't take
    "global_func",  # functions not put inline: their prototypes and calls
    "unsupported",  # what this kernel, machine or attach point can't do
    "privilege",  # capabilities and licence
    "btf",  # type and line information
    "other",  # the verifier's own faults
]

# Whose fault a failure is: the program's, what the compiler made of it, what this kernel lacks or gets wrong, the
# loader's, or what it runs in: privileges, limits, configuration.
Fault = Literal["program", "compiler", "kernel", "loader", "environment", "unknown"]
_FAULTS: dict[str, Fault] = {
    "unsupported": "kernel",
    "privilege": "environment",
    "btf": "loader",
    "bad_map_fd": "loader",
    "other": "kernel",
}


def fault_of(kind: str) -> Fault:
    """Whose fault failures of a kind are, unless a rule says otherwise."""
    return _FAULTS.get(kind, "program")


# What patterns write short. A name in a message is a register, an argument on the stack (7.2) or a counted one.
_SHORT = {
    "@reg": r"(?P<reg>R\d+|\*\(R11-\d+\))",
    "@arg": r"(?P<arg>args?#?\d+|R\d+|\*\(R11-\d+\))",
    "@type": r"(?P<type>[\w?]+)",
    "@or_null": r"(?P<type>\w+?)_?or_null_?",
}
_SHORTENED = re.compile(r"@(?:reg|arg|type|or_null)\b")


@dataclass(frozen=True, slots=True)
class Held:
    """What a log tells besides of the register a complaint names, in the verifier's words ("scalar()", "pkt(r=0)").

    now: what it holds. was: what it held until a call took that away. taker: the function called.
    checked: another register with the same pointer, which a branch compared with NULL. "" if not known.
    """

    now: str = ""
    was: str = ""
    taker: str = ""
    checked: str = ""


NOTHING = Held()


@dataclass(frozen=True, slots=True)
class Rule:
    """One of `patterns` is matched at the beginning of the complaint; `at`, where given, must be found in the refused
    instruction too, and `when`, where given, must be true of the match and what else is known.

    In explanation and fix, `$off` and the like are groups of the patterns; besides there are those of names.py. The fix
    is C; None where none is known to help.
    """

    kind: Kind
    patterns: tuple[str, ...]
    explanation: Template
    fix: Template | None = None
    at: str = ""
    when: Callable[[re.Match[str], Held], bool] | None = None
    fault: Fault = "program"

    def match(self, error: str, insn_text: str, held: Held = NOTHING) -> re.Match[str] | None:
        """The match of the first pattern that does."""
        if self.at and not compiled(self.at).search(insn_text):
            return None
        match = next((match for pattern in self.patterns if (match := compiled(pattern).match(error))), None)
        return match if match and (self.when is None or self.when(match, held)) else None


def rule(
    kind: Kind,
    patterns: str | tuple[str, ...],
    explanation: str,
    fix: str | None = None,
    *,
    at: str = "",
    when: Callable[[re.Match[str], Held], bool] | None = None,
    fault: Fault | None = None,
) -> Rule:
    """A rule from its texts. In patterns stand @reg, @arg, @type and @or_null for what messages name so."""
    written = (patterns,) if isinstance(patterns, str) else patterns
    return Rule(
        kind=kind,
        patterns=tuple(_SHORTENED.sub(lambda short: _SHORT[short[0]], each) for each in written),
        explanation=Template(explanation),
        fix=Template(fix) if fix else None,
        at=at,
        when=when,
        fault=fault or fault_of(kind),
    )


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compiled where it is used first: all together take longer than importing the rest of a loader may."""
    return re.compile(pattern)
