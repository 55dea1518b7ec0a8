"""Folded stacks, one per line, for flamegraph.pl and inferno: `comm;outer;inner count`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TextIO

from ebpftop.base.inert import inert
from ebpftop.export.report import Report, stacks_of
from ebpftop.frames.messages import Rejected
from ebpftop.model.stacks import Symbol
from ebpftop.model.verdict import headline

_COUNT = re.compile(r"\s+(?=[0-9.]+$)")  # would look like another count at the end of a line


class Folded:
    """Writes the sum of the whole run at its end: the stacks of each view, largest count first."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err

    def report(self, report: Report) -> None:
        """Writes nothing: the sum includes every interval."""

    def rejected(self, frame: Rejected) -> None:
        print(headline(frame), file=self._err)

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        for part in stacks_of(report):
            for head, symbols, count in part.merged(part.heads()):
                self._out.write(f"{folded(symbols, head)} {count}\n")
        self._out.flush()


def folded(symbols: Iterable[Symbol], head: str = "") -> str:
    """A stack on one line, without its count; frames of the kernel end in `_[k]`."""
    frames = [word(symbol.label) + ("_[k]" if symbol.side == "kernel" else "") for symbol in symbols]
    return ";".join([word(head), *frames] if head else frames)


def word(text: str) -> str:
    """A name without separators: semicolons become colons, unprintable characters become escapes."""
    return _COUNT.sub("_", inert(text.replace(";", ":").strip()))
