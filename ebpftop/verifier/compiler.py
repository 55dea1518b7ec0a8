"""Messages of clang and LLVM about a program that does not compile."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

Severity = Literal["fatal error", "error", "warning", "note"]

_SEVERITY = r"(?P<severity>fatal error|error|warning|note)"
_PLACE = r"(?P<file>[^\s:][^:\n]*):(?P<line>\d+):(?P<column>\d+)"
_CLANG = re.compile(rf"^{_PLACE}: {_SEVERITY}: (?P<text>.*)")
_BACKEND = re.compile(rf"^{_SEVERITY}: {_PLACE}: in function (?P<function>\w+)[^:]*: (?:0x[0-9a-f]+: )?(?P<text>.*)")
_BARE = re.compile(rf"^(?:LLVM ERROR|{_SEVERITY}): (?P<text>.*)")
_UNKNOWN = "<unknown>"
_STACK = re.compile(r"BPF stack limit")


@dataclass(frozen=True, slots=True)
class Message:
    """One message. If the compiler names no place, file and function are "", line and column None."""

    severity: Severity
    file: str
    line: int | None
    column: int | None
    text: str
    function: str = ""


def parse(output: str) -> list[Message]:
    """Errors in order of appearance, each followed by its notes; then warnings likewise.

    LLVM's own messages, which end the process, are errors too: "Looks like the BPF stack limit is exceeded".
    """
    groups: list[list[Message]] = []
    for row in output.splitlines():
        if message := _message(row):
            if message.severity == "note" and groups:
                groups[-1].append(message)
            else:
                groups.append([message])
    groups.sort(key=lambda group: group[0].severity not in ("fatal error", "error"))
    return [message for group in groups for message in group]


def explain(text: str) -> str:
    """What a message means and what to do about it, "" if it needs no explanation."""
    if _STACK.search(text):
        return (
            "All variables of a function, and of the functions it calls, share 512 bytes of stack. Move the large ones "
            "into a per-CPU array map, or reserve the record in a ring buffer and write into that."
        )
    return ""


def _message(row: str) -> Message | None:
    match = _CLANG.match(row) or _BACKEND.match(row) or _BARE.match(row)
    if not match:
        return None
    found = match.groupdict()
    placed = found.get("file") not in (None, _UNKNOWN)
    return Message(
        severity=cast(Severity, found["severity"] or "fatal error"),
        file=found["file"] if placed else "",
        line=int(found["line"]) if placed else None,
        column=int(found["column"]) if placed else None,
        text=found["text"].strip(),
        function=found.get("function") or "",
    )
