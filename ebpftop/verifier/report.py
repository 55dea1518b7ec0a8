"""The report that kernels from 7.3 on write below their error message (kernel/bpf/diagnostics.c).

Verification failed: Register Type Safety: Invalid dereference

Reason:
  R0 may be NULL here (a nullable map value pointer). …

At:
  f @ main.c:8:5
  Source context: …
  Instruction context:
  >>> 8 | (79) r1 = *(u64 *)(r0 +0)

Causal path: …

Suggestion:
  Add a NULL check before the access …
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MOST_EVENTS = 64  # the kernel's own limit, BPF_DIAG_HISTORY_RENDER_MAX
BEGINS = "Verification failed: "
_SECTION = re.compile(r"\s*(Reason|At|Active lock|Causal path|Suggestion):\s*$")
_PLACE = re.compile(r"(?P<file>[^\s:|][^:|]*):(?P<line>\d{1,9}):\d+$")
_INSN = re.compile(r"\s*insn (\d{1,9})$")
_POINTED = re.compile(r"\s*>>> *(\d{1,9}) \| (\([0-9a-f]{2}\) .*|.*)")
_NOTE = re.compile(r"[ \d>]*\| *\^-- (\w+): (.*)")
_MORE = re.compile(r"\s*\| {2,}(\S.*)")


@dataclass(frozen=True, slots=True)
class Event:
    """A place that the kernel points at, and its note there: `said`, also the key in JSON. insn and line are None, file
    and text "" if the note names none.
    """

    insn: int | None
    text: str
    file: str
    line: int | None
    source: str
    said: str


@dataclass(frozen=True, slots=True)
class Report:
    """Each text is one line, "" if the log lacks it. at: where it failed. path: the events that led there, oldest
    first.
    """

    category: str
    problem: str
    reason: str
    suggestion: str
    at: Event | None
    path: tuple[Event, ...]

    @property
    def title(self) -> str:
        return f"{self.category}: {self.problem}" if self.problem else self.category


def read(lines: Sequence[str]) -> Report | None:
    """The report that these lines begin with, None if they don't begin with one."""
    if not lines or not lines[0].lstrip().startswith(BEGINS):
        return None
    category, _, problem = lines[0].strip().removeprefix(BEGINS).partition(": ")
    parts: dict[str, list[str]] = {}
    section: list[str] = []
    for line in lines[1:]:
        if match := _SECTION.match(line):
            section = parts.setdefault(match[1], [])
        elif line.strip():
            section.append(line)
    texts = {name: " ".join(map(str.strip, text)) for name, text in parts.items()}
    return Report(
        category=category,
        problem=problem,
        reason=texts.get("Reason", ""),
        suggestion=texts.get("Suggestion", ""),
        at=next(_events(parts.get("At", [])), None),
        path=tuple(_events([*parts.get("Active lock", []), *parts.get("Causal path", [])]))[-MOST_EVENTS:],
    )


def _events(lines: Iterable[str]) -> Iterator[Event]:
    """Split lines into events. Each begins with its place, or with `insn N` if it has none."""
    block: list[str] = []
    for line in lines:
        if block and (_INSN.match(line) or _place(line)):
            yield _event(block)
            block = []
        block.append(line)
    if block and (_INSN.match(block[0]) or _place(block[0])):
        yield _event(block)


def _place(line: str) -> re.Match[str] | None:
    """Match `f @ count.bpf.c:12:5`, with or without the function; lines of C and of instructions have a bar."""
    return None if "|" in line else _PLACE.match(line.strip().rpartition(" @ ")[2])


def _event(block: list[str]) -> Event:
    place = _place(block[0])
    named = _INSN.match(block[0])
    insn, text, source = (int(named[1]) if named else None), "", ""
    notes: list[str] = []
    for line in block[1:]:
        if match := _NOTE.match(line):
            notes = [f"{match[1]}: {match[2]}"]
        elif notes and (match := _MORE.match(line)) and not text:
            notes.append(match[1])
        elif (match := _POINTED.match(line)) and match[2].startswith("("):
            insn, text = int(match[1]), match[2]
        elif match:
            source = match[2].strip()
    return Event(
        insn=insn,
        text=text,
        file=place["file"] if place else "",
        line=int(place["line"]) if place else None,
        source=source,
        said=" ".join(notes),
    )
