"""Finds every failure in a file of logs, in order, however long the file is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from ebpftop.verifier.diagnosis import Diagnosis, diagnose
from ebpftop.verifier.program import named, named_after
from ebpftop.verifier.source import Source
from ebpftop.verifier.stream import Excerpt, excerpts
from ebpftop.verifier.wrapping import unwrap

_CAUSES = "Caused by:"
_CAUSES_WITHIN = 8  # lines
_EMPTY = "No verifier log was found here."


def failures(stream: BinaryIO, source: Source | None = None) -> Iterator[Diagnosis]:
    """Yield each program's failure as soon as its log ends; if there is none, one `Diagnosis` of kind "none".

    A loader's own message counts only without a log, because otherwise it only repeats the log. Raises `OSError` from
    the stream.
    """
    waiting: Diagnosis | None = None
    yielded: Diagnosis | None = None
    instead: Diagnosis | None = None
    found = False
    for excerpt in excerpts(stream):
        diagnosis, is_log = _diagnose(excerpt, source)
        if diagnosis is None:
            continue
        if not is_log or not diagnosis.failed:
            instead = instead if instead and (instead.failed or not diagnosis.failed) else diagnosis
            continue
        found = True
        if yielded and _repeats(yielded, diagnosis, excerpt):
            continue
        if waiting and _again(waiting, diagnosis):
            diagnosis = replace(diagnosis, program=diagnosis.program or waiting.program)
        elif waiting:
            yield waiting
        waiting = None if excerpt.ended else diagnosis  # its end, or a longer version, may follow
        if excerpt.ended:
            yield diagnosis
        yielded = diagnosis
    if waiting:
        yield waiting
    elif not found:
        yield instead or Diagnosis("none", "", None, None, _EMPTY, None, known=False)


def _diagnose(excerpt: Excerpt, source: Source | None) -> tuple[Diagnosis | None, bool]:
    head = unwrap(excerpt.lines[: excerpt.gap])
    if excerpt.gap is None:
        diagnosis = diagnose(head, source, ended=excerpt.ended)
    else:
        lines = unwrap(excerpt.lines[excerpt.gap :])
        diagnosis = diagnose(lines, source, program=named(head), cut=True, ended=excerpt.ended)
    if diagnosis and not diagnosis.program and excerpt.after:
        diagnosis = replace(diagnosis, program=named_after(unwrap(list(excerpt.after))))
    return diagnosis, diagnosis is not None and (excerpt.ended or diagnosis.insn is not None)


def _repeats(earlier: Diagnosis, later: Diagnosis, excerpt: Excerpt) -> bool:
    """Whether a log repeats the previous one: Rust's errors are followed by their causes, which quote it."""
    causes = any(line.strip().endswith(_CAUSES) for line in excerpt.lines[:_CAUSES_WITHIN])
    return causes and (earlier.message, earlier.insn) == (later.message, later.insn)


def _again(earlier: Diagnosis, later: Diagnosis) -> bool:
    """Whether the later failure is the earlier one with more of its log: Go's errors appear as a summary, then in
    full.
    """
    return (
        (earlier.message, earlier.insn) == (later.message, later.insn)
        and (earlier.program == later.program or not (earlier.program and later.program))
        and len(earlier.chain) <= len(later.chain)
    )
