"""Whether attach points exist, as the running kernel's BTF and file system tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpftop.kernel import points

SWITCH = ("bool", "struct task_struct *", "struct task_struct *")


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("sched_switch", SWITCH),
        ("sched_switch", ("bool", "struct task_struct*")),
        ("sched_switch", ()),
        ("sched_switch", ("bool", "const struct task_struct *", "struct task_struct * const")),
        ("sys_enter", ("struct pt_regs *", "long int")),
        ("page_fault_user", ("long unsigned int", "struct pt_regs *", "unsigned long")),
    ],
)
def test_a_prototype_that_begins_as_relied_on(name: str, args: tuple[str, ...]) -> None:
    assert points.missing("raw_tracepoint", name, args) is None


@pytest.mark.parametrize(
    "args",
    [
        ("struct task_struct *", "struct task_struct *"),
        ("bool", "struct task_struct **"),
        ("unsigned bool",),
        (*SWITCH, "unsigned int", "int", "int"),
    ],
)
def test_another_prototype_is_shown(args: tuple[str, ...]) -> None:
    reason = points.missing("raw_tracepoint", "sched_switch", args)
    assert reason is not None
    assert reason.startswith(
        "sched_switch has a different prototype here: (bool, struct task_struct *, struct task_struct *"
    )


def test_signedness_is_a_difference() -> None:
    reason = points.missing("raw_tracepoint", "softirq_entry", ("int",))
    assert reason == "softirq_entry has a different prototype here: (unsigned int)"


def test_absent_points_are_named() -> None:
    assert points.missing("raw_tracepoint", "no_such") == "this kernel has no tracepoint no_such"
    assert points.missing("fentry", "no_such") == "this kernel has no traceable function no_such: renamed or inlined"
    assert points.missing("perf_event", "no-such") == "perf has no software event no-such"


def test_present_points(tmp_path: Path) -> None:
    (tmp_path / "program").touch()
    assert points.missing("fexit", "vfs_read") is None
    assert points.missing("perf_event", "cpu-clock") is None
    assert points.missing("uretprobe", f"{tmp_path}/program:main") is None


def test_an_unknown_mechanism_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown mechanism 'dtrace'"):
        points.missing("dtrace", "x")
