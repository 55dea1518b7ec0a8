"""In a nested pid namespace the kernel counts by ids that mean nothing there: tracing refuses, all else works."""

from __future__ import annotations

import json

import pytest

from tests.support.command import complaint, ebpftop

pytestmark = pytest.mark.root

NESTED = ("unshare", "--pid", "--fork", "--mount-proc")
REMEDY = "run it on the host, or start the container with --pid=host (Kubernetes: hostPID)"
WHERE = "a nested pid namespace (process ids here differ from the kernel's)"


@pytest.mark.parametrize("before", [NESTED, ("unshare", "--pid", "--fork")])
@pytest.mark.parametrize("command", ["run cpu/syscount --duration 0.3", "record -o /nowhere/tape cpu/syscount"])
def test_tracing_in_a_nested_pid_namespace_is_refused(before: tuple[str, ...], command: str) -> None:
    done = ebpftop(*command.split(), before=before)
    assert complaint(done, 3) == f"tracing would give wrong results in {WHERE}: {REMEDY}"
    assert done.stdout == ""


def test_a_process_whose_children_get_another_namespace_is_refused() -> None:
    assert REMEDY in complaint(ebpftop("run", "cpu/syscount", "--duration", 0.3, before=("unshare", "--pid")), 3)


@pytest.mark.parametrize(
    ("command", "status"),
    [("list", 0), ("show lab/hello", 0), ("explain /dev/null", 1), ("check probes/lab/hello", 0)],
)
def test_what_needs_no_process_ids_works_there(command: str, status: int) -> None:
    assert ebpftop(*command.split(), before=NESTED).returncode == status


def test_the_list_calls_nothing_runnable_there() -> None:
    entries = json.loads(ebpftop("list", "--json", before=NESTED).stdout)
    assert {(entry["available"], entry["reason"]) for entry in entries} == {
        (False, f"tracing would give wrong results in {WHERE}")
    }


def test_the_doctor_says_so() -> None:
    done = ebpftop("doctor", "--json", before=NESTED)
    assert done.returncode == 0
    found = next(check for check in json.loads(done.stdout) if check["check"] == "pid namespace")
    assert found == {"check": "pid namespace", "ok": False, "detail": WHERE, "remedy": REMEDY}


def test_the_doctor_says_what_a_cgroup_namespace_hides() -> None:
    def found(*before: str) -> dict[str, object]:
        checks = json.loads(ebpftop("doctor", "--json", before=before).stdout)
        return next(check for check in checks if check["check"] == "cgroup namespace")

    assert found() == {"check": "cgroup namespace", "ok": True, "detail": "the initial one", "remedy": ""}
    nested = found("unshare", "--cgroup")
    assert not nested["ok"]
    assert str(nested["remedy"]).endswith("--cgroupns=host")
