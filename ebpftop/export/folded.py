"""Folded stacks, one per line, for flamegraph.pl and inferno: `comm;outer;inner count`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TextIO

from ebpftop.base.inert import inert
from ebpftop.export.report import Report, stacks_of
from ebpftop.export.telling import AtEnd
from ebpftop.model.stacks import StackFrame

_SIGNS = {"kernel": "_[k]", "python": "_[p]"}
_COUNT = re.compile(r"\s+(?=[0-9.]+$)")  # could be mistaken for the count at the end of a line


class Folded(AtEnd):
    """Writes the sum of the whole run at its end: the stacks of each view, largest count first. If they don't cover the
    whole run, a line that begins with `#` says what they cover.
    """

    def __init__(self, out: TextIO, err: TextIO) -> None:
        super().__init__(err)
        self._out = out

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        for part in stacks_of(report):
            if part.shown:
                self._out.write(f"# {word(report.probe)} {word(part.view.name)} · {part.shown.line}\n")
            for head, frames, count in part.merged(part.heads()):
                self._out.write(f"{folded(frames, head)} {count}\n")
        self._out.flush()


def folded(frames: Iterable[StackFrame], head: str = "") -> str:
    """A stack on one line, without its count; frames of the kernel end in `_[k]`, of Python in `_[p]`."""
    words = [word(frame.label) + _SIGNS.get(frame.side, "") for frame in frames]
    return ";".join([word(head), *words] if head else words)


def word(text: str) -> str:
    """A name without separators: semicolons become colons, unprintable characters become escapes."""
    return _COUNT.sub("_", inert(text.replace(";", ":").strip()))
