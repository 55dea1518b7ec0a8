"""Compares two tapes, or two spans of one. No root, no BPF."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ebpftop.base.errors import UsageError, UserError
from ebpftop.base.inert import inert
from ebpftop.export import comparison_json, comparison_text
from ebpftop.export.compared import WHOLE, compare_tapes
from ebpftop.export.taped import Taped, read
from ebpftop.frames.tape import TapeReader
from ebpftop.frames.tape_format import BadTape
from ebpftop.model.comparing.sessions import Comparison
from ebpftop.model.grouping import groupings
from ebpftop.supervisor import privilege


def compare(arguments: argparse.Namespace) -> int:
    """Print the differences. For a damaged tape, the part before the damage is compared, and 1 is returned instead of
    0.
    """
    if who := privilege.invoker():
        privilege.drop(who)
    check_spans(arguments)
    tapes = [read_tape(path) for path in (arguments.tape, arguments.other) if path is not None]
    found = compare_tapes(tapes, (arguments.a, arguments.b), arguments.by)
    comparison = found.comparison
    check_dimension(comparison, arguments.by)
    if arguments.json:
        print(json.dumps(comparison_json.as_json(comparison, found.sides), allow_nan=False))
    else:
        comparison_text.write(comparison, found.sides, sys.stdout)
    return int(any(each.problem for each in tapes))


def check_spans(arguments: argparse.Namespace) -> None:
    """Raises `UsageError` if a tape has nothing to be compared with."""
    if arguments.other is None and WHOLE in (arguments.a, arguments.b):
        raise UsageError("to compare two spans of one tape, use --a FROM..TO --b FROM..TO")


def check_dimension(comparison: Comparison, by: str) -> None:
    """Raises `UsageError` if a dimension is given but no view is summed by it."""
    views = [view for run in comparison.runs for view in run.views]
    if by and not any(view.by is not None and by in (view.by.dimension, view.by.title) for view in views):
        known = dict.fromkeys(source.title for view in views for source in groupings(view.view))
        raise UsageError(f"no view can be summed by {by!a}: only by {', '.join(map(inert, known)) or 'nothing'}")


def read_tape(path: Path, then: str = "") -> Taped:
    """Read a tape. Damage is reported along with its consequence, which `then` states; the part before the damage is
    returned. Raises `UserError`.
    """
    try:
        taped = read(TapeReader(path))
    except BadTape as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{inert(str(path))}: {error.strerror}") from None
    if taped.problem:
        print(f"ebpftop: {inert(taped.problem)}{then}", file=sys.stderr)
    return taped
