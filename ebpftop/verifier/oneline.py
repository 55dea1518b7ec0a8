"""Restores the lines of a log without line ends, as in titles of issues and cells of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebpftop.verifier.prefix import INSTRUCTION

_REGISTER = r"[rw]1?\d"
_NUMBER = r"-?(?:0x[0-9a-f]+|\d+)"
_MEMORY = r"\*\(\w+\s\*\)\(r1?\d\s?[-+]\s?\d+\)"
_JUMP = r"goto\w*\spc[+-]\d+"
# An instruction's text from its beginning to its end (kernel/bpf/disasm.c).
_EXTENT = re.compile(
    rf"""\s*\d+:\ \([0-9a-f]{{2}}\)\ (?:
      if\ {_REGISTER}\ \S+\ (?:{_REGISTER}|{_NUMBER})\ {_JUMP} | {_JUMP} | exit\b | call\ \S+
    | {_REGISTER}\ =\ (?:\(s\d+\))?{_REGISTER}(?!\d) | {_REGISTER}\ =\ {_MEMORY}
    | (?:lock\ )?{_MEMORY}\ \S*=\ (?:{_REGISTER}|{_NUMBER})
    | {_REGISTER}\ \S+\ (?:{_REGISTER}|{_NUMBER})
    )""",
    re.VERBOSE,
)
_VALUE = r"[^\s()]*(?:\((?:[^()]|\([^()]*\))*\))?[^\s()]*"
_STATE = re.compile(rf"\s*;?\s*(?:(?:R\d{{1,2}}|fp-\d+)(?:_\w+)?={_VALUE}(?:\s+|$))+")
_STARTS = re.compile(
    r"(?<!^)(?=(?<!\w)(?:\d{1,9}: \([0-9a-f]{2}\) |from \d+ to \d+(?: \([\w ]+\))?: |processed \d+ insns \(limit ))"
)
_MARKS = ";|¶⏎↵"  # separators that people and programs put between the lines they join


def is_joined(line: str) -> bool:
    """Whether this line contains more than one line of a log."""
    if line.lstrip()[:1] == ";":
        return False
    shown = INSTRUCTION.search(line)
    if shown is None:
        return False
    return INSTRUCTION.search(line, shown.end()) is not None or " processed " in line


def split(line: str) -> Iterator[str]:
    """The lines that were joined into one, as far as they can be separated."""
    parts = [part.strip() for part in _STARTS.split(line)]
    mark = _mark(parts)
    for part in parts:
        for piece in part.split(mark) if mark else [part]:
            yield from _behind(piece.strip())


def _mark(parts: list[str]) -> str:
    """The separator between the lines, `|`; "" for blanks alone."""
    found = {part[-1:] for part in parts[:-1]}
    mark = found.pop() if len(found) == 1 else ""
    return mark if mark in _MARKS else ""


def _behind(part: str) -> Iterator[str]:
    """A line, and any text after it without a number of its own: a state, the next source line, the message."""
    extent = _EXTENT.match(part) or re.match(r"0: (?=R1=)|from \d+ to \d+[^:]*: |(?=R\d+=)", part)
    if extent is None or part.startswith("processed "):
        if part:
            yield part
        return
    state = _STATE.match(part, extent.end())
    end = state.end() if state else extent.end()
    yield part[:end].rstrip()
    rest = part[end:].strip()
    if rest:
        yield f"; {rest[2:]}" if rest.startswith("; ") else rest
