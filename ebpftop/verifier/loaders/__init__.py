"""What loaders say themselves of a program, a map or an attachment that failed: in the words of libbpf, BCC,
cilium/ebpf, aya, bpftrace, iproute2 and bpftool.

Beside a complaint of the verifier it tells the same again; where there is none, it is all there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ebpftop.verifier import errnos
from ebpftop.verifier.loaders import attaching, maps, notes, programs, symbols
from ebpftop.verifier.loaders.said import Said
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
    """message: the loader's own line. said: what it means. errno: its name, "" where the line tells none."""

    message: str
    said: Said
    errno: str
    program: str


def lacks(lines: Sequence[str]) -> Failure | None:
    """What a loader says that this kernel or it lacks; None where it says nothing like that."""
    return _first(lines, symbols.recognise)


def failed(lines: Sequence[str]) -> Failure | None:
    """What a loader says of a call that failed, the line that says most; None where it says nothing like that."""
    for of_stage in (symbols.recognise, maps.recognise, programs.recognise, attaching.recognise, _consequence):
        if failure := _first(lines, of_stage):
            return failure
    return None


def _first(lines: Sequence[str], recognise: Callable[[str, str], Said | None]) -> Failure | None:
    said = [line[:_LONGEST].strip() for line in ends(lines)]
    for number, line in enumerate(said):
        if line and (meaning := recognise(line, errnos.find(line) or _cause(said[number + 1 : number + _WITHIN]))):
            return _failure(line, meaning, said)
    return None


def _cause(below: Sequence[str]) -> str:
    """The error among the causes that Rust lists below a line, "" for none."""
    causes = below[below.index(_CAUSES) + 1 :] if _CAUSES in below else []
    return next((errno for line in causes if (errno := errnos.find(line))), "")


def _consequence(line: str, _errno: str) -> Said | None:
    if _CONSEQUENCE.match(line):
        return programs.SILENT
    return programs.OWN_WORDS if _OWN_WORDS.match(line) else None


def ends(lines: Sequence[str]) -> Iterator[str]:
    """The lines a loader's words may stand in: without what it says is no failure."""
    yield from notes.without([*lines[:LOOKED_AT], *lines[max(LOOKED_AT, len(lines) - LOOKED_AT) :]])


def _failure(line: str, meaning: Said, said: Sequence[str]) -> Failure:
    if meaning.of_map and (kind := maps.needs("\n".join(said))):
        meaning = replace(meaning, explanation=f"{meaning.explanation} {kind}")
    return Failure(line, meaning, errnos.find(line), named_in(line) or next(filter(None, map(named_in, said)), ""))
