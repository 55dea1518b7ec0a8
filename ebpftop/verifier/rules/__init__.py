"""The verifier's error messages, and the meaning of each.

Messages come from kernel/bpf/verifier.c, btf.c and their neighbours, Linux 5.15 to 7.2, some from 4.9 on. If kernels
word the same error differently, one rule matches all wordings. The first rule that matches is used: modules in the
order of RULES, rules in the order of their module. Rules for instructions that a loader substituted come first; then
pointers that may be NULL or that a call invalidated, before all other rules about pointers; special rules come before
general ones; and the verifier's internal errors, whose patterns are loose, come last.
"""

from __future__ import annotations

from dataclasses import dataclass

from ebpftop.verifier.rules import (
    bounds,
    btf,
    calls,
    context,
    core,
    dynptrs,
    functions,
    instructions,
    kfuncs,
    limits,
    loading,
    locks,
    memory,
    null,
    objects,
    registers,
    stack,
    taken,
)
from ebpftop.verifier.rules.model import NOTHING, Fault, Held, Kind, Rule
from ebpftop.verifier.rules.names import names
from ebpftop.verifier.wording import normal

RULES: tuple[Rule, ...] = (
    *core.RULES,
    *null.RULES,
    *taken.RULES,
    *context.RULES,
    *bounds.RULES,
    *memory.RULES,
    *stack.RULES,
    *registers.RULES,
    *locks.RULES,
    *dynptrs.RULES,
    *objects.RULES,
    *calls.RULES,
    *functions.RULES,
    *kfuncs.RULES,
    *limits.RULES,
    *instructions.RULES,
    *btf.RULES,
    *loading.RULES,
)


@dataclass(frozen=True, slots=True)
class Recognised:
    """explanation: whole sentences. fix: lines of C; None if none is known to help."""

    kind: Kind
    explanation: str
    fix: str | None
    fault: Fault = "program"


def recognise(error: str, insn_text: str = "", source_text: str = "", held: Held = NOTHING) -> Recognised | None:
    """The meaning of an error message; None if no rule knows it: never a guess.

    error: the kernel's message, one line. insn_text: the rejected instruction as the log shows it, for messages that
    mean different things at different instructions and for the function called. source_text: the author's line, for the
    names in it. held: what the log shows about the register in the message.
    """
    error = normal(error)
    for rule in RULES:
        if match := rule.match(error, insn_text, held):
            words = names(match.groupdict(), insn_text, source_text, held)
            fix = rule.fix.substitute(words) if rule.fix else None
            return Recognised(rule.kind, rule.explanation.substitute(words), fix, rule.fault)
    return None
