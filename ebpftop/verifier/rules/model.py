"""What a rule is: the complaint it recognises, its kind, and the words for a person who wrote some C."""

from __future__ import annotations

import re
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` is matched at the beginning of the complaint; `at`, where given, must be found in the refused
    instruction too.

    In explanation and fix, `$reg` and the like are the groups of the pattern, `$pointer` and `$name` the pointer on the
    author's line. The fix is C; None where none is known to help.
    """

    kind: Kind
    pattern: re.Pattern[str]
    explanation: Template
    fix: Template | None = None
    at: re.Pattern[str] | None = None


def rule(kind: Kind, pattern: str, explanation: str, fix: str | None = None, *, at: str = "") -> Rule:
    """A rule from its texts."""
    return Rule(
        kind, re.compile(pattern), Template(explanation), Template(fix) if fix else None, re.compile(at) if at else None
    )
