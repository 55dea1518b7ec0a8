"""A rule: the error message it recognises, its kind, and the explanation for the author of the C."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from string import Template
from typing import Literal

Kind = Literal[
    "null_deref",  # a pointer that may be NULL
    "invalid_mem_access",  # what isn't memory for the program, or is read-only
    "unbounded_access",  # an index or a size whose range the verifier doesn't know
    "oob_map_value",  # outside of a map's value or key
    "oob_mem",  # outside of other memory: a record, a buffer, a struct
    "oob_stack",  # outside of the stack, or of an array on it
    "oob_packet",  # beyond the checked part of a packet
    "ctx_access",  # the program's context, at a place it doesn't have
    "misaligned",  # not at a multiple of its size
    "uninitialised_reg",  # a variable without a value
    "uninitialised_stack",  # bytes of the stack never written
    "pointer_arith",  # calculating with a pointer
    "helper_arg_type",  # an argument of a helper
    "kfunc_arg",  # an argument of a kernel function
    "unknown_func",  # a function that doesn't exist, or isn't for this program
    "map_type",  # a map of the wrong type for the program or the call
    "bad_map_fd",  # a map that doesn't exist
    "unreleased_ref",  # an object not released, or released wrongly
    "lock",  # spin locks, RCU sections, preemption
    "irq",  # interrupts off
    "iterator",  # open-coded iterators
    "dynptr",  # dynamic pointers
    "kptr",  # what the kernel manages in map values: pointers, timers, lists, trees
    "sleepable",  # calls that may sleep where nothing may
    "unbounded_loop",  # a loop or recursion that may not end
    "insn_limit",  # a program too long or too branched to follow
    "stack_too_large",  # more than the 512 bytes there are, or calls too deep
    "bad_return",  # the value a program or function returns
    "bad_instruction",  # an instruction or a jump the kernel doesn't accept
    "global_func",  # functions that aren't inlined: their prototypes and calls
    "unsupported",  # what this kernel, machine or attach point doesn't support
    "privilege",  # capabilities and licence
    "btf",  # type and line information
    "other",  # the verifier's internal errors
]

# The cause of a failure: the program, the compiler's output, something that this kernel lacks or gets wrong, the
# loader, or the environment: privileges, limits, configuration.
Fault = Literal["program", "compiler", "kernel", "loader", "environment", "unknown"]
_FAULTS: dict[str, Fault] = {
    "unsupported": "kernel",
    "privilege": "environment",
    "btf": "loader",
    "bad_map_fd": "loader",
    "other": "kernel",
}


def fault_of(kind: str) -> Fault:
    """The fault of failures of a kind, unless a rule has its own."""
    return _FAULTS.get(kind, "program")


# Abbreviations in patterns. Messages name a register, an argument on the stack (7.2) or an argument by its number.
_SHORT = {
    "@reg": r"(?P<reg>R\d+|\*\(R11-\d+\))",
    "@arg": r"(?P<arg>args?#?\d+|R\d+|\*\(R11-\d+\))",
    "@type": r"(?P<type>[\w?]+)",
    "@or_null": r"(?P<type>\w+?)_?or_null_?",
}
_SHORTENED = re.compile(r"@(?:reg|arg|type|or_null)\b")


@dataclass(frozen=True, slots=True)
class Held:
    """What else the log shows about the register in a message, in the verifier's words ("scalar()", "pkt(r=0)").

    now: its value. was: its value until a call invalidated that. taker: the function called. checked: another register
    with the same pointer, which a branch compared with NULL. Each is "" if not known. called: whether the instruction
    belongs to a function that the program calls. moved: whether it is the program's context and an offset.
    """

    now: str = ""
    was: str = ""
    taker: str = ""
    checked: str = ""
    called: bool = False
    moved: bool = False


NOTHING = Held()


@dataclass(frozen=True, slots=True)
class Rule:
    """Matches a message that begins with one of `patterns`. If given, `at` must also be found in the rejected
    instruction, and `when` must be true of the match and the other known facts.

    In explanation and fix, `$off` and the like are groups of the patterns, or names from names.py. The fix is C; None
    if none is known to help.
    """

    kind: Kind
    patterns: tuple[str, ...]
    explanation: Template
    fix: Template | None = None
    at: str = ""
    when: Callable[[re.Match[str], Held], bool] | None = None
    fault: Fault = "program"

    def match(self, error: str, insn_text: str, held: Held = NOTHING) -> re.Match[str] | None:
        """The match of the first pattern that matches, or None."""
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
    """Make a rule from its texts. Patterns may use @reg, @arg, @type and @or_null (see `_SHORT`)."""
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
    """Compile a pattern at its first use: compiling all of them at import would take too long."""
    return re.compile(pattern)
