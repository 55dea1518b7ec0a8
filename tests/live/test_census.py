"""Who is who after a storm of processes that live under a millisecond: each keeps its name, parent and command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests.support.processes import eventually
from tests.support.tracing import any_kernel, trace

pytestmark = pytest.mark.bpf

FORKED = 19_789  # children that only ask who their parent is
RUN = 211  # programs, each with an argument of its own

STORM = f"""
import ctypes, os
ctypes.CDLL(None).prctl(15, b"storm", 0, 0, 0)
for number in range({FORKED}):
    pid = os.fork()
    if pid == 0:
        os.getppid()
        os._exit(0)
    os.waitpid(pid, 0)
for number in range({RUN}):
    os.waitpid(os.posix_spawn("/bin/true", ["true", f"number-{{number}}"], os.environ), 0)
"""
LATE = """
import ctypes, os
ctypes.CDLL(None).prctl(15, b"latecomer", 0, 0, 0)
while True:
    os.getppid()
"""


@any_kernel
def test_everyone_has_a_name_after_twenty_thousand_short_lives() -> None:
    with trace("cpu/syscount", interval=1.0) as traced:
        traced.until_named()
        storm = subprocess.Popen([sys.executable, "-c", STORM])
        assert storm.wait() == 0
        late = subprocess.Popen([sys.executable, "-c", LATE])
        try:
            eventually(lambda: _top(traced.lines[-1])["comm"] == "latecomer", "the busy newcomer is at the top", 30)
            assert _top(traced.lines[-1])["pid"] == late.pid
        finally:
            late.kill()
            late.wait()

    rows = {row["pid"]: row for line in traced.lines for row in _rows(line) if row["parent"] == "storm"}
    by_name = Counter(row["comm"] for row in rows.values())
    assert by_name == {"storm": FORKED, "true": RUN}
    commands = {row["command"] for row in rows.values() if row["comm"] == "true"}
    assert commands == {f"true number-{number}" for number in range(RUN)}
    assert traced.lines[-1]["map_full"] == traced.lines[-1]["evicted"] == 0
    assert os.getpid() not in rows


def _rows(line: dict[str, Any]) -> list[dict[str, Any]]:
    view = line["views"]["by process"]
    names = [column["name"] for column in view["columns"]]
    return [dict(zip(names, row, strict=True)) for row in view["rows"]]


def _top(line: dict[str, Any]) -> dict[str, Any]:
    return (_rows(line) or [{"comm": "", "pid": 0}])[0]
