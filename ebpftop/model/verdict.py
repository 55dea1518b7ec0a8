"""A rejected probe in words: one line, the author's line it is about, what to do, and the log."""

from __future__ import annotations

from ebpftop.base.inert import inert
from ebpftop.frames.messages import Rejected

_AROUND = 2  # lines of source shown before and after the one that is marked
_VERDICTS = {
    "compile": "does not compile",
    "fit": "is refused",
    "verify": "is rejected by the verifier",
    "attach": "cannot be attached",
}


def headline(frame: Rejected) -> str:
    """One line: which probe, what happened, and why."""
    return f"ebpftop: {inert(frame.probe)} {_VERDICTS[frame.stage]}: {inert(frame.error)}"


def verdict(frame: Rejected) -> str:
    """Lines for stderr, the headline first."""
    lines = [headline(frame)]
    if frame.source is not None:
        lines += ["", f"{inert(frame.source.file)}:{frame.source.line}", *_excerpt(frame)]
    if frame.hint:
        lines += ["", *map(inert, frame.hint.splitlines())]
    passed_over = [each for each in frame.tried if each.reason != frame.error]
    if passed_over:
        lines += ["", *(f"not {inert(each.variant)}: {inert(each.reason)}" for each in passed_over)]
    if frame.log:
        lines += ["", *(inert(line.expandtabs()) for line in frame.log.splitlines())]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _excerpt(frame: Rejected) -> list[str]:
    """The marked line among its neighbours."""
    assert frame.source is not None
    wanted = frame.source.line
    text = frame.text.splitlines()
    if not 0 < wanted <= len(text):
        text, first = [frame.source.text], wanted
    else:
        first = max(1, wanted - _AROUND)
        text = text[first - 1 : wanted + _AROUND]
    size = len(str(first + len(text) - 1))
    return [
        f"{'▶' if number == wanted else ' '} {number:>{size}}  {inert(line.expandtabs())}"
        for number, line in enumerate(text, first)
    ]
