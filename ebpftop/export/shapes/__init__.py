"""The shapes of our outputs for programs, as types: JSON schemas are made from them (`python -m tests.schemas`).

The objects themselves are made elsewhere, and every one that a test sees is checked against its schema.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ebpftop.export.shapes.comparison import Comparison
from ebpftop.export.shapes.failures import Failure
from ebpftop.export.shapes.intervals import Failed, Interval, Marked
from ebpftop.export.shapes.machine import Check, Probe, Program, ThreadsPlace
from ebpftop.export.shapes.tape import Tape
from ebpftop.export.triaged import Triage

# By name: the command whose output it is, and the types of which it is one.
SHAPES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "compare": ("What 'ebpftop compare --json' prints.", (Comparison,)),
    "doctor": ("What 'ebpftop doctor --json' prints.", (list[Check],)),
    "explain": ("Each line that 'ebpftop explain --json' prints.", (Failure,)),
    "list": ("What 'ebpftop list --json' prints.", (list[Probe],)),
    "others": ("What 'ebpftop others --json' prints.", (list[Program],)),
    "run": (
        "Each line of 'ebpftop run', 'tape export' and 'report' with --format json.",
        (Interval, Marked, Failed),
    ),
    "tape-info": ("Each line that 'ebpftop tape info --json' prints.", (Tape,)),
    "threads": ("What 'ebpftop threads --json' prints.", (list[ThreadsPlace],)),
    "triage": ("What 'ebpftop triage --json' prints.", (Triage,)),
}


def schema(name: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of an output."""
    what, types = SHAPES[name]
    tops, parts = msgspec.json.schema_components(types)
    found = tops[0] if len(tops) == 1 else {"anyOf": [*tops]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"ebpftop {name}",
        "description": what,
        **found,
        "$defs": parts,
    }
