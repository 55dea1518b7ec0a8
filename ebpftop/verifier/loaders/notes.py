"""Recognises loaders' notes about failures after which they continue: the program didn't fail."""

from __future__ import annotations

from collections.abc import Sequence

from ebpftop.verifier.rules.model import compiled

_OPTIONAL = (
    r"BTF is optional, ignoring|[Rr]etrying without BTF|[Ww]ithout BTF.{0,10}retry|doesn't support BTF, skipping"
    r"|\bignoring\b.{0,20}\bBTF\b|\bBTF\b.{0,40}\b(?:ignored|ignoring|skipping|skipped|continu\w+ without)"
)
_BEGINS = r"Error loading (?:\.?BTF|BTF)\b"
_WARNING = r"(?i)\W*(?:\w+: )?(?:warning|note|hint|debug|info): "
_MOST = 60  # lines of a log about BTF
EXPLANATION = (
    "The loader couldn't pass type information to this kernel and continues without it: the program didn't fail. Its "
    "maps and functions only lack their types in bpftool's output."
)


def is_optional(line: str) -> bool:
    """Whether a line is about an optional step that failed."""
    return "BTF" in line and compiled(_OPTIONAL).search(line) is not None


def without(lines: Sequence[str]) -> list[str]:
    """The same number of lines; notes about missing type information that the loader tolerates, and warnings, become
    empty.
    """
    kept = list(lines)
    for number, line in enumerate(lines):
        if is_optional(line):
            for before in range(number, max(-1, number - _MOST), -1):
                begins = compiled(_BEGINS).search(kept[before]) is not None
                if before == number or _in_log_of_btf(lines, before, number):
                    kept[before] = ""
                if begins and before < number:
                    break
        elif compiled(_WARNING).match(line):
            kept[number] = ""
    return kept


def _in_log_of_btf(lines: Sequence[str], at: int, end: int) -> bool:
    """Whether the line belongs to the log about BTF that ends at `end`: it begins with the loader's own line."""
    return any(compiled(_BEGINS).search(line) for line in lines[max(0, end - _MOST) : at + 1])
