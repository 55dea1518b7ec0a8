"""A dashboard and a collector in a stranger's hands try what SECURITY.md says can't be done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import CHECKOUT
from tests.support.processes import SLOWER

pytestmark = pytest.mark.bpf

MOST_MEMORY = 256  # MiB: a message of 4 MiB takes 100 while it is read
NOBODY = {"SUDO_UID": "65534", "SUDO_GID": "65534", "SUDO_USER": "nobody"}
AS_ANYBODY = (
    *("become root", "join root's group", "read root's files", "read the supervisor's memory", "read its environment"),
    *("see its descriptors", "trace it", "signal it", "list the kernel's programs", "use sudo"),
    "send root a descriptor",
)


def told(who: str, folder: Path) -> dict[str, Any]:
    folder.chmod(0o777)
    file = folder / "told"
    command = [sys.executable, "-B", "-m", "tests.support.taken_over", who, str(file)]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**os.environ, **NOBODY},
        capture_output=True,
        text=True,
        timeout=120 * SLOWER,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "internal error" not in done.stderr
    found: dict[str, Any] = json.loads(file.read_text())
    assert {name: found[name] for name in AS_ANYBODY if not found[name].startswith("refused")} == {}
    assert not [each for each in found["descriptors"] if "bpf" in each or each.startswith("/proc")]
    return found


def test_a_dashboard_can_only_request_what_requests_say(public: Path) -> None:
    found = told("dashboard", public)
    assert found["collector's memory"].startswith("refused")
    assert found["siblings"] == ["ebpftop:collect", "ebpftop:run"], "root starts nothing for it"
    assert found["another process"] is True, "it is taken for one that has ended"
    assert found["load 1"] == "no probe '../../etc/passwd' in the catalog"
    assert "pid: " in found["load 2"]
    assert "-include: no such parameter" in found["load 3"]
    assert found["load 4"] == "no probe 'internal/census' in the catalog"
    assert found["restarted"]


def test_a_collector_gets_nothing_of_root_that_is_not_asked_by_type(public: Path) -> None:
    found = told("collector", public)
    assert found["a probe that is a path"] == "no probe '../../etc/passwd' in the catalog"
    assert "pid: " in found["a parameter that is C"]
    assert "-D: no such parameter" in found["a parameter that is an option"]
    assert found["names in a file of root's"] == []
    assert found["names in another process"] == []
    assert found["a container that is a path"] == []
    assert found["another process"] == "gone"
    assert found["the code of another process"] == []
    assert found["supervisor's memory"] < MOST_MEMORY
