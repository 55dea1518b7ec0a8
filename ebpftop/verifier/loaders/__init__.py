"""Loaders' own messages about a program, a map or an attachment that failed: those of libbpf, BCC, cilium/ebpf, aya,
bpftrace, iproute2 and bpftool.

Next to an error message of the verifier they only repeat it; without one, they are the only information.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ebpftop.verifier import errnos
from ebpftop.verifier.loaders import attaching, maps, notes, programs, symbols
from ebpftop.verifier.loaders.meaning import Meaning
from ebpftop.verifier.program import named_in

LOOKED_AT = 200  # lines at each end
_LONGEST = 2_048
_CAUSES, _WITHIN = "Caused by:", 12  # lines
_CONSEQUENCE = re.compile(
    r".*?(?:\bfailed to (?:load (?:object|BPF skeleton|and verify)|perform CO-RE relocations|prepare load attributes)"
    r"|\b(?:error|failed|couldn't|could not|cannot|unable to)\b.{0,20}\bload(?:ing)?\b.{0,20}\b(?:e?bpf|BPF)\b)",
    re.IGNORECASE,
)
_OWN_WORDS = re.compile(
    r".*?\blibbpf: .*\b(?:fail\w*|error|(?:not |un)supported|invalid|missing|can't|couldn't|cannot|unable|not found)\b"
)


@dataclass(frozen=True, slots=True)
class Failure:
    """message: the loader's own line. meaning: what it means. errno: its name, "" if the line has none."""

    message: str
    meaning: Meaning
    errno: str
    program: str


def lacks(lines: Sequence[str]) -> Failure | None:
    """The first message about something that this kernel or the loader lacks; None if there is none."""
    return _first(lines, symbols.recognise) or _first(lines, symbols.configuration)


def refused(lines: Sequence[str]) -> Failure | None:
    """The first message about a program that couldn't be loaded; None if there is none."""
    return _first(lines, programs.recognise)


def failed(lines: Sequence[str]) -> Failure | None:
    """The most informative message about a call that failed; None if there is none."""
    for of_stage in (
        symbols.recognise,
        symbols.configuration,
        maps.recognise,
        programs.counted,
        programs.recognise,
        attaching.recognise,
        _consequence,
    ):
        if failure := _first(lines, of_stage):
            return failure
    return None


def _first(lines: Sequence[str], recognise: Callable[[str, str], Meaning | None]) -> Failure | None:
    rows = [line[:_LONGEST].strip() for line in ends(lines)]
    for number, line in enumerate(rows):
        if line and (meaning := recognise(line, errnos.find(line) or _cause(rows[number + 1 : number + _WITHIN]))):
            return _failure(line, meaning, rows)
    return None


def _cause(below: Sequence[str]) -> str:
    """The name of the error among the causes that Rust lists below a line, "" if there is none."""
    causes = below[below.index(_CAUSES) + 1 :] if _CAUSES in below else []
    return next((errno for line in causes if (errno := errnos.find(line))), "")


def _consequence(line: str, _errno: str) -> Meaning | None:
    if _CONSEQUENCE.match(line):
        return programs.SILENT
    return programs.OWN_WORDS if _OWN_WORDS.match(line) else None


def ends(lines: Sequence[str]) -> Iterator[str]:
    """The lines that may contain a loader's error: the first and the last, without notes about optional steps."""
    yield from notes.without([*lines[:LOOKED_AT], *lines[max(LOOKED_AT, len(lines) - LOOKED_AT) :]])


def _failure(line: str, meaning: Meaning, rows: Sequence[str]) -> Failure:
    if meaning.of_map and (kind := maps.needs("\n".join(rows))):
        meaning = replace(meaning, explanation=f"{meaning.explanation} {kind}")
    return Failure(line, meaning, errnos.find(line), named_in(line) or next(filter(None, map(named_in, rows)), ""))
