"""What a complaint of the verifier means, and what to write instead, as one text."""

from __future__ import annotations

from ebpftop.verifier.rules import recognise


def explain(error: str, insn_text: str = "", source_text: str = "") -> str:
    """A few sentences and, where one is known to help, the C that does, indented; "" where the complaint is unknown.

    Takes what `recognise` takes.
    """
    recognised = recognise(error, insn_text, source_text)
    if recognised is None:
        return ""
    fix = recognised.fix.splitlines() if recognised.fix else []
    return "\n".join([recognised.explanation, *(f"    {line}" for line in fix)])
