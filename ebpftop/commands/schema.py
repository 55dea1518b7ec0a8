"""`ebpftop schema`: the JSON schemas of outputs. No root, no BPF."""

from __future__ import annotations

import json
from importlib import resources

from ebpftop.base.errors import UsageError
from ebpftop.base.inert import quoted
from ebpftop.base.look import record
from ebpftop.base.nearest import nearest

_SUFFIX = ".json"


def schema(name: str | None) -> int:
    """Print one schema, or without a name a line for each: its name, and the output it describes."""
    files = {
        each.name.removesuffix(_SUFFIX): each
        for each in sorted((resources.files("ebpftop") / "schemas").iterdir(), key=lambda each: each.name)
        if each.name.endswith(_SUFFIX)
    }
    if name is None:
        for known, file in files.items():
            print(record([known, json.loads(file.read_text())["description"]]))
        return 0
    if name not in files:
        raise UsageError(f"unknown schema {quoted(name)}; known: {', '.join(files)}{nearest(name, files)}")
    print(files[name].read_text(), end="")
    return 0
