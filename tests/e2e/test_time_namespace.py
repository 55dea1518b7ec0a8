"""Where clocks differ from the kernel's, starts and times of processes would be wrong: tracing refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import complaint, ebpftop

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not Path("/proc/self/timens_offsets").exists(), reason="this kernel has no time namespaces"),
]

SHIFTED = ("unshare", "--time", "--boottime", "200000", "--monotonic", "100000", "--fork")
WHERE = "a time namespace (clocks here differ from the kernel's)"
REMEDY = "run it on the host, or start the container without clock offsets"


@pytest.mark.parametrize("before", [SHIFTED, SHIFTED[:-1]])  # with it itself, and with its children alone
def test_tracing_where_clocks_differ_is_refused(before: tuple[str, ...]) -> None:
    done = ebpftop("run", "cpu/syscount", "--duration", 0.3, before=before)
    assert complaint(done, 3) == f"tracing would give wrong results in {WHERE}: {REMEDY}"


def test_list_and_doctor_say_so() -> None:
    entries = json.loads(ebpftop("list", "--json", before=SHIFTED).stdout)
    assert {entry["reason"] for entry in entries} == {f"tracing would give wrong results in {WHERE}"}
    checks = json.loads(ebpftop("doctor", "--json", before=SHIFTED).stdout)
    assert {"check": "time namespace", "ok": False, "detail": WHERE, "remedy": REMEDY} in checks


@pytest.mark.bpf
def test_a_namespace_without_offsets_is_no_hindrance() -> None:
    assert ebpftop("run", "lab/hello", "--duration", 0.3, before=("unshare", "--time", "--fork")).returncode == 0
