"""Which kernels can have written a log, as its own syntax tells.

Sources: print_verifier_state and its neighbours in kernel/bpf/verifier.c (later log.c), Linux 4.9 to 6.12. Where a
distribution put a newer verifier into an older kernel, the number is that of the verifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from ebpftop.verifier.rules.model import compiled

SAMPLED = 300  # lines at each end

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Age:
    """The first and the last kernel that write like this, None where that is open."""

    since: Version | None = None
    until: Version | None = None

    def __str__(self) -> str:
        if self.since and self.until:
            return f"{_text(self.since)} to {_text(self.until)}"
        if self.since:
            return f"{_text(self.since)} or newer"
        return f"{_text(self.until)} or older" if self.until else ""


_SIGNS: tuple[tuple[str, Version | None, Version | None], ...] = (
    (r"(?m)=map_value(?:_or_null)?\(ks=|^\d+: \(85\) call \d+$|\bR10=fp$", None, (4, 9)),
    (r"(?m)\bProccessed \d+ insn", None, (4, 14)),
    (r"(?m)^processed \d+ insns$|^processed \d+ insns, stack depth", None, (5, 1)),
    (r"(?m)^processed \d+ insns \(limit (?:32768|65536|98304|131072)\)", None, (5, 1)),
    (r"(?m)^processed \d+ insns \(limit 1000000\)|^verification time \d+ usec", (5, 2), None),
    (r"(?m)\bR10=fp0,call_-?\d", (4, 16), (5, 3)),
    (r"(?m)\bR\d+(?:_\w+)?=(?:inv|P?inv[P(]|map_value\(id=0,)|\bu?m(?:in|ax)_value=", None, (5, 17)),
    (r"(?m)^last_idx \d+ first_idx \d+|^regs=[0-9a-f]+ stack=", (5, 3), (6, 4)),
    (r"(?m)\bR\d+(?:_\w+)?=(?:scalar\(|ctx\(\)|pkt\(r=)", (5, 18), None),
    (r"(?m)^\d+: \([0-9a-f]{2}\) .*; R\d+(?:_\w+)?=", (5, 17), None),
    (r"(?m)^mark_precise: frame\d", (6, 5), None),
    (r"(?m)^; .* @ [^@]+:\d+$", (6, 9), None),
    (r"(?m)^Verification failed: ", (7, 3), None),
)


def of(lines: Sequence[str]) -> Age:
    """The age of a log; an empty one where nothing tells, or where what tells contradicts itself."""
    text = "\n".join(chain(lines[:SAMPLED], lines[max(SAMPLED, len(lines) - SAMPLED) :]))
    found = [(since, until) for sign, since, until in _SIGNS if compiled(sign).search(text)]
    since = max((since for since, _ in found if since), default=None)
    until = min((until for _, until in found if until), default=None)
    return Age() if since and until and since > until else Age(since, until)


def _text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
