"""The data of the kernel matrix: the variants of probes that the tests ran, and whether the tests passed.

A live test that ends leaves `{"release", "tests": {TEST: {"held": bool, "traced": [[PROBE, VARIANT]…]}}, "probes":
{PROBE: [AVAILABLE, REASON]}}` in the file named by EBPFTOP_HELD, or in `.cache/held/RELEASE.json`. Tests that ran in a
later session replace only their own entries, so that the latest result counts.
"""

from __future__ import annotations

import functools
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
    """Record at once whether a test passed, because its runner may be stopped."""
    if _traced:
        _tests[test] = {"held": held, "traced": list(_traced)}
        _keep()
    _traced.clear()


def place(release: str) -> Path:
    return CHECKOUT / ".cache" / "held" / f"{release}.json"


def _keep() -> None:
    release = platform.release()
    path = Path(os.environ.get("EBPFTOP_HELD") or place(release))
    add({"release": release, "tests": _tests, "probes": _catalog()}, path)


def add(session: dict[str, Any], path: Path) -> None:
    """Add a session's results, from here or another machine, to this file, in place of earlier ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    earlier = json.loads(path.read_text())["tests"] if path.exists() else {}
    whole = {**session, "tests": {**earlier, **session["tests"]}}
    path.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n")


@functools.cache
def _catalog() -> dict[str, list[Any]]:
    """Every probe of the catalog: whether it is available here, and why not."""
    command = [sys.executable, "-m", "ebpftop", "list", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    entries = json.loads(done.stdout) if done.returncode == 0 else []
    return {entry["id"]: [entry["available"], entry["reason"]] for entry in entries}
