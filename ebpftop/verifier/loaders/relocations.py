"""Finds the CO-RE relocation behind an instruction that libbpf made invalid, as named by its debug output.

libbpf (src/relo_core.c) writes `relo #3: no matching targets found for <byte_off> [44] struct s.f (0:9 @ offset 120)`,
and then `relo #3: substituting insn #7 w/ invalid insn`. If the program tests for the field, neither means a failure.
"""

from __future__ import annotations

from collections.abc import Sequence

from ebpftop.verifier.rules.model import compiled

_UNMATCHED = (
    r"\brelo #\d+: no matching targets found for (?:<\w+> )?\[\d+\] (?P<lacks>.+?)(?: \([\d:]+ @ .*| = -?\w+)?$"
)
_SUBSTITUTED = r"\brelo #\d+: substituting insn #(?P<insn>\d{1,9}) w/ invalid insn"


def unmatched(lines: Sequence[str], insn: int | None) -> str:
    """The field or type for which an instruction's relocation found no match, `struct s.f`; "" if it isn't named."""
    last, named = "", ""
    for line in lines:
        if "relo #" not in line:
            continue
        if match := compiled(_UNMATCHED).search(line.rstrip()):
            last = match["lacks"]
        elif (match := compiled(_SUBSTITUTED).search(line)) and int(match["insn"]) == insn:
            named = last
    return named
