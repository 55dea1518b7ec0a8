"""What one complaint means and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Complaint:
    """`pattern` is searched in the complaint; `at`, where given, must be found in the refused instruction too.

    In meaning and remedy, braces name groups of the pattern; {pointer} and {name} are the pointer on the author's line.
    """

    pattern: re.Pattern[str]
    meaning: str
    remedy: str
    at: re.Pattern[str] | None = None


def entry(pattern: str, meaning: str, remedy: str, at: str = "") -> Complaint:
    return Complaint(re.compile(pattern), meaning, remedy, re.compile(at) if at else None)
