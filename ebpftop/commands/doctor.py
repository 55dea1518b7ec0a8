"""`ebpftop doctor`: what this machine can trace."""

from __future__ import annotations

import json

from ebpftop.base.inert import inert
from ebpftop.kernel import doctor as examination


def doctor(*, as_json: bool) -> int:
    """Print what this machine can trace, found by real trials."""
    checks = examination.checks()
    if as_json:
        print(json.dumps([check._asdict() for check in checks], indent=2))
    else:
        width = max(len(check.check) for check in checks)
        for check in checks:
            print(f"{'✓' if check.ok else '✗'} {check.check:{width}}  {inert(check.detail)}")
            if not check.ok and check.remedy:
                print(f"  {'':{width}}  → {inert(check.remedy)}")
    return 0
