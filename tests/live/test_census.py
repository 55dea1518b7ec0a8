"""Who is who: after a storm of processes that live under a millisecond, each keeps its name, parent and command; of
two that had the same pid, one after the other, each keeps what it counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests.support.processes import eventually, with_pid
from tests.support.tracing import Tracing, any_kernel, trace

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
FIRST, SECOND = 10_007, 7_919  # calls
COUNTED = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    os.getppid()
sys.stdin.readline()
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


@any_kernel
def test_what_two_processes_with_one_pid_have_counted() -> None:
    """The second one begins before the keys of the first one are deleted."""
    command = [sys.executable, "-c", COUNTED]
    with (
        subprocess.Popen([*command, "first", str(FIRST)], stdin=subprocess.PIPE) as first,
        trace("cpu/syscount", interval=1.0, pid=first.pid) as traced,
    ):
        traced.until_named()
        _go_on(first)
        eventually(lambda: _calls(traced)["first"] >= FIRST, "the calls of the first one are shown", 30)
        _go_on(first)
        first.wait()
        with with_pid(first.pid, *command, "second", str(SECOND)) as second:
            _go_on(second)
            eventually(lambda: _calls(traced)["second"] >= SECOND, "so are those of the second one", 30)
            _go_on(second)
    calls, of_both = _calls(traced), traced.totals("by system call", "system call")
    assert calls["first"] >= FIRST > calls["second"] >= SECOND
    assert calls.total() == sum(counts["calls"] for counts in of_both.values())


def _go_on(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.write(b"\n")
    process.stdin.flush()


def _calls(traced: Tracing) -> Counter[str]:
    return Counter({name: counts["calls"] for name, counts in traced.totals("by process", "comm").items()})


def _rows(line: dict[str, Any]) -> list[dict[str, Any]]:
    view = line["views"]["by process"]
    names = [column["name"] for column in view["columns"]]
    return [dict(zip(names, row, strict=True)) for row in view["rows"]]


def _top(line: dict[str, Any]) -> dict[str, Any]:
    return (_rows(line) or [{"comm": "", "pid": 0}])[0]
