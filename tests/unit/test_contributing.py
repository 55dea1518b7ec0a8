"""The map in CONTRIBUTING.md names only what there is."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = sorted(path.parent.name for path in (ROOT / "ebpftop").glob("*/__init__.py"))
NAMES = sorted(set(re.findall(rf"`((?:{'|'.join(ROOMS)})\.[\w.]+)`", (ROOT / "CONTRIBUTING.md").read_text())))


def test_there_are_names() -> None:
    assert len(NAMES) > 50


@pytest.mark.parametrize("name", NAMES)
def test_a_name_leads_somewhere(name: str) -> None:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(("ebpftop", *parts[:length])))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            assert hasattr(found, part), f"{name}: {found.__name__} has no {part}"
            found = getattr(found, part)
        return
    pytest.fail(f"{name}: no such module")
