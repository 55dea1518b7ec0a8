"""The data of the kernel matrix: which variants of which probes the tests ran, and whether the tests passed.

A session with live tests leaves `{"release", "tests": {TEST: {"held": bool, "traced": [[PROBE, VARIANT]…]}}, "probes":
{PROBE: [AVAILABLE, REASON]}}` in the file named by EBPFTOP_HELD, or in `.cache/held/RELEASE.json`. Tests that ran in a
later session replace only their own entries, so that the latest result counts.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]

_traced: list[tuple[str, str]] = []
_copies: dict[str, str] = {}
_tests: dict[str, dict[str, Any]] = {}


def traced(probe: str, variant: str) -> None:
    """A test ran this variant of a probe."""
    if (pair := (_copies.get(probe, probe), variant)) not in _traced:
        _traced.append(pair)


def is_copy(copy: str, probe: str) -> None:
    """Results of `copy` count for the probe it was copied from."""
    _copies[copy] = probe


def ended(test: str, *, held: bool) -> None:
    """A test ended: record whether it passed."""
    if _traced:
        _tests[test] = {"held": held, "traced": list(_traced)}
    _traced.clear()


def place(release: str) -> Path:
    return CHECKOUT / ".cache" / "held" / f"{release}.json"


def keep() -> None:
    """Write this session's results, if it traced anything."""
    if not _tests:
        return
    release = platform.release()
    path = Path(os.environ.get("EBPFTOP_HELD") or place(release))
    path.parent.mkdir(parents=True, exist_ok=True)
    earlier = json.loads(path.read_text())["tests"] if path.exists() else {}
    whole = {"release": release, "tests": {**earlier, **_tests}, "probes": _catalog()}
    path.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n")


def _catalog() -> dict[str, list[Any]]:
    """Every probe of the catalog: whether it is available here, and why not."""
    command = [sys.executable, "-m", "ebpftop", "list", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    entries = json.loads(done.stdout) if done.returncode == 0 else []
    return {entry["id"]: [entry["available"], entry["reason"]] for entry in entries}
