"""What the kernel's verifier complains of (kernel/bpf/verifier.c and its neighbours from 5.15 on), and what it means.

Where kernels word one thing differently, one pattern takes all wordings. The first rule that matches is used, so the
special stands before the general.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ebpftop.verifier.rules import memory, shape, values
from ebpftop.verifier.rules.model import Kind, Rule

RULES: tuple[Rule, ...] = memory.RULES + values.RULES + shape.RULES

_LONGEST = 1024  # the kernel's own limit of one message, BPF_VERIFIER_TMP_LOG_SIZE
# `*p` where an operand can stand, `p->` and `p[`: what a line of C follows.
_FOLLOWED = re.compile(r"(?:^|[=(,;&|!+\-<>?:{}~]|\breturn)\s*\*+\s*(\w+)|(?<![\w.>])(\w+)\s*(?:->|\[)")


@dataclass(frozen=True, slots=True)
class Recognised:
    """explanation: whole sentences. fix: lines of C, None where none is known to help."""

    kind: Kind
    explanation: str
    fix: str | None


def recognise(error: str, insn_text: str = "", source_text: str = "") -> Recognised | None:
    """What a complaint means; None where it is unknown: never a guess.

    error: the kernel's complaint, one line. insn_text: the refused instruction as the log shows it, for the few
    complaints that mean different things at different instructions. source_text: the author's line, for the name of
    the pointer in it.
    """
    error = error.strip()[:_LONGEST]
    for rule in RULES:
        match = rule.pattern.match(error)
        if match and (rule.at is None or rule.at.search(insn_text)):
            name = _followed(source_text)
            words = match.groupdict() | {"pointer": f"`{name}`" if name else "This pointer", "name": name or "p"}
            return Recognised(
                rule.kind, rule.explanation.substitute(words), rule.fix.substitute(words) if rule.fix else None
            )
    return None


def _followed(source_text: str) -> str:
    """The one pointer the line follows, "" if it follows none or several."""
    names = {one or other for one, other in _FOLLOWED.findall(source_text)}
    return names.pop() if len(names) == 1 else ""
