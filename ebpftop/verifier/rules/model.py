"""What a rule is: the complaint it recognises, its kind, and the words for a person who wrote some C."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from string import Template
from typing import Literal

Kind = Literal[
    "null_deref",
    "invalid_mem_access",
    "unbounded_access",
    "oob_map_value",
    "oob_mem",
    "oob_stack",
    "oob_packet",
    "ctx_access",
    "misaligned",
    "uninitialised_reg",
    "uninitialised_stack",
    "pointer_arith",
    "helper_arg_type",
    "kfunc_arg",
    "unknown_func",
    "map_type",
    "bad_map_fd",
    "unreleased_ref",
    "lock",
    "irq",
    "iterator",
    "dynptr",
    "kptr",
    "sleepable",
    "unbounded_loop",
    "insn_limit",
    "stack_too_large",
    "bad_return",
    "bad_instruction",
    "global_func",
    "unsupported",
    "privilege",
    "btf",
    "other",
]


# What patterns write short. A name in a message is a register, an argument on the stack (7.2) or a counted one.
_SHORT = {
    "@reg": r"(?P<reg>R\d+|\*\(R11-\d+\))",
    "@arg": r"(?P<arg>args?#?\d+|R\d+|\*\(R11-\d+\))",
    "@type": r"(?P<type>[\w?]+)",
    "@or_null": r"(?P<type>\w+?)_?or_null_?",
}
_SHORTENED = re.compile(r"@(?:reg|arg|type|or_null)\b")


@dataclass(frozen=True, slots=True)
class Rule:
    """One of `patterns` is matched at the beginning of the complaint; `at`, where given, must be found in the refused
    instruction too.

    In explanation and fix, `$off` and the like are groups of the patterns; besides there are those of names.py. The fix
    is C; None where none is known to help.
    """

    kind: Kind
    patterns: tuple[str, ...]
    explanation: Template
    fix: Template | None = None
    at: str = ""

    def match(self, error: str, insn_text: str) -> re.Match[str] | None:
        """The match of the first pattern that does."""
        if self.at and not compiled(self.at).search(insn_text):
            return None
        return next((match for pattern in self.patterns if (match := compiled(pattern).match(error))), None)


def rule(
    kind: Kind, patterns: str | tuple[str, ...], explanation: str, fix: str | None = None, *, at: str = ""
) -> Rule:
    """A rule from its texts. In patterns stand @reg, @arg, @type and @or_null for what messages name so."""
    written = (patterns,) if isinstance(patterns, str) else patterns
    return Rule(
        kind=kind,
        patterns=tuple(_SHORTENED.sub(lambda short: _SHORT[short[0]], each) for each in written),
        explanation=Template(explanation),
        fix=Template(fix) if fix else None,
        at=at,
    )


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compiled where it is used first: all together take longer than importing the rest of a loader may."""
    return re.compile(pattern)
