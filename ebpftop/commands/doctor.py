"""`ebpftop doctor`: shows what this machine can trace."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

from ebpftop.base.look import GREEN, RED, YELLOW, Look, look_of, record
from ebpftop.kernel import doctor as examination
from ebpftop.kernel.support import Check


def doctor(*, as_json: bool) -> int:
    """Print what this machine can trace, determined by real trials."""
    checks = examination.checks()
    if as_json:
        print(json.dumps([check._asdict() for check in checks], indent=2))
    else:
        print("\n".join(lines(checks, look_of(sys.stdout))))
    return 0


def lines(checks: Sequence[Check], look: Look) -> Iterator[str]:
    """On a terminal wrapped text with a summary at the end; in a pipe a record per check: name, ok or failed, detail,
    remedy.
    """
    if not look.terminal:
        yield from (record([each.check, "ok" if each.ok else "failed", each.detail, each.remedy]) for each in checks)
        return
    width = 4 + max(len(each.check) for each in checks)
    for each in checks:
        sign = look.styled("✓", GREEN) if each.ok else look.styled("✗", RED)
        yield look.beside(f"{sign} {each.check:{width - 2}}", width, each.detail)
        if not each.ok and each.remedy:
            yield look.beside(" " * width + look.styled("→ ", YELLOW), width + 2, each.remedy)
    yield f"\n{sum(each.ok for each in checks)} of {len(checks)} checks passed"
