"""Tables of names, against the running kernel's own enumerations."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from ebpftop.collector.decode import Context, block_op, softirq, tcp_state
from ebpftop.kernel import btf
from tests.support.workloads import cgroup_root

pytestmark = pytest.mark.bpf


def test_states_of_tcp() -> None:
    names = [tcp_state.name(number) for number in range(1, 13)]
    assert btf.running().enum_values(f"TCP_{name}" for name in names) == {
        f"TCP_{name}": number for number, name in enumerate(names, 1)
    }


def test_operations_of_block_requests() -> None:
    expected = {f"REQ_OP_{name}": number for number, name in block_op._NAMES.items()}
    expected = {name.upper().replace(" ", "_").replace("DRIVER", "DRV"): number for name, number in expected.items()}
    assert btf.running().enum_values(expected) == expected


def test_soft_interrupts() -> None:
    lines = Path("/proc/softirqs").read_text().splitlines()[1:]
    assert [line.split(":")[0].strip() for line in lines] == [softirq.name(number) for number in range(len(lines))]


def test_disks_of_this_machine() -> None:
    context = Context()
    namer = context.namer("device")
    for line in Path("/proc/diskstats").read_text().splitlines():
        major, minor, name = line.split()[:3]
        assert namer(int(major) << 20 | int(minor)) == name


def test_the_root_of_the_control_groups() -> None:
    root = cgroup_root()
    if root is None:
        pytest.skip("no cgroup2 hierarchy is mounted")
    assert Context().cgroup_path(root.stat().st_ino) == "/"


def test_this_process_s_user() -> None:
    assert Context().namer("user")(psutil.Process().uids().real) == psutil.Process().username()
