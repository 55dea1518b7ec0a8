"""Types from BTF: written by hand, where every detail is known, and the running kernel's."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ebpftop.kernel import btf
from ebpftop.kernel.btf import Btf
from ebpftop.kernel.libbpf import KernelLacks
from tests.support.btf_file import (
    ARRAY,
    CONST,
    ENUM64,
    FUNC,
    INT,
    PTR,
    TYPE_TAG,
    TYPEDEF,
    UNION,
    BtfFile,
)


@pytest.fixture
def made(tmp_path: Path) -> Btf:
    """A file with a few types of each kind that matters."""
    file = BtfFile()
    integer = file.add(INT, "int", 0, 4, 32 | 1 << 24)
    unsigned_long = file.add(INT, "long unsigned int", 0, 8, 64)
    boolean = file.add(INT, "_Bool", 0, 1, 8 | 4 << 24)
    bool_typedef = file.add(TYPEDEF, "bool", 0, boolean)
    inner = file.struct("", 4, ("low", integer, 0), ("high", integer, 0), kind=UNION)
    owner = file.struct("owner", 4, ("uid", integer, 0))
    to_owner = file.add(PTR, "", 0, file.add(CONST, "", 0, file.add(TYPE_TAG, "rcu", 0, owner)))
    owners = file.add(ARRAY, "", 0, 0, to_owner, integer, 3)
    task = file.struct("task", 40, ("pid", integer, 0), ("", inner, 4), ("cred", to_owner, 8), ("all", owners, 16))
    to_task = file.add(PTR, "", 0, task)
    void = file.add(PTR, "", 0, 0)
    argv = file.add(PTR, "", 0, file.add(PTR, "", 0, file.add(CONST, "", 0, integer)))
    handler = file.add(PTR, "", 0, file.prototype(integer, void, unsigned_long))
    prototype = file.prototype(0, void, bool_typedef, to_task, to_owner, unsigned_long, argv, handler)
    file.add(TYPEDEF, "btf_trace_made", 0, file.add(PTR, "", 0, prototype))
    file.add(TYPEDEF, "btf_trace_plain", 0, integer)
    file.add(FUNC, "make", 1, file.prototype(integer, integer))
    file.enum("errors", {"BROKEN": -7, "WHOLE": 7}, signed=True)
    file.enum("flags", {"FLAG_TOP": 0xFFFFFFFF})
    file.enum("wide", {"WIDE": 1 << 40, "WIDE_NEXT": (1 << 40) + 1}, kind=ENUM64)
    return Btf(file.write(tmp_path / "made"))


def test_a_tracepoints_arguments_are_spelled_as_in_c(made: Btf) -> None:
    assert made.tracepoint_args("made") == [
        "bool",
        "struct task *",
        "const struct owner *",
        "unsigned long",
        "const int **",
        "int (*)(void *, unsigned long)",
    ]


@pytest.mark.parametrize("name", ["absent", "plain"])
def test_what_is_no_tracepoint_has_no_arguments(made: Btf, name: str) -> None:
    assert made.tracepoint_args(name) is None


def test_members_of_anonymous_inner_unions_count(made: Btf) -> None:
    assert made.members("task") == {"pid", "low", "high", "cred", "all"}
    assert made.members("absent") == frozenset()


def test_structs_are_reached_through_pointers_and_arrays_of_the_named_members_only(made: Btf) -> None:
    task = made.find("struct", "task")
    assert task is not None
    assert made.reached(task, frozenset({"pid", "cred"})) == ["struct owner"]
    assert made.reached(task, frozenset({"all"})) == ["struct owner"]
    assert made.reached(task, frozenset({"pid"})) == []


def test_kinds_are_told_apart(made: Btf) -> None:
    assert made.has_type("struct", "task")
    assert not made.has_type("union", "task")
    assert made.has_type("enum", "errors")
    assert made.has_type("enum", "wide")
    assert made.has_type("typedef", "bool")
    assert made.has_function("make")
    assert not made.has_function("task")


def test_only_enumerators_asked_for_that_exist_have_values(made: Btf) -> None:
    asked = ["BROKEN", "FLAG_TOP", "WIDE_NEXT", "ABSENT", "pid", "task"]
    assert made.enum_values(asked) == {"BROKEN": -7, "FLAG_TOP": 0xFFFFFFFF, "WIDE_NEXT": (1 << 40) + 1}


def test_the_enumerators_of_an_enum_by_value(made: Btf) -> None:
    assert made.enumerators("errors")[-7] == "BROKEN"
    assert made.enumerators("wide")[(1 << 40) + 1] == "WIDE_NEXT"
    assert made.enumerators("absent") == made.enumerators("task") == {}


def test_definitions_come_after_what_they_need(made: Btf) -> None:
    text = made.dump(["bool", "struct task", "struct absent"])
    assert text.startswith("typedef _Bool bool;")
    assert text.index("struct owner;") < text.index("struct task {")
    assert "struct owner {" not in text
    assert "absent" not in text


def test_a_modules_types_stand_on_vmlinux(tmp_path: Path) -> None:
    kernel = btf.running()
    file = BtfFile(on_vmlinux=True)
    to_task = file.add(PTR, "", 0, kernel.find("struct", "task_struct") or 0)
    file.add(TYPEDEF, "btf_trace_of_module", 0, file.add(PTR, "", 0, file.prototype(0, to_task, to_task)))
    module = Btf(file.write(tmp_path / "module"), base=kernel)
    assert module.tracepoint_args("of_module") == ["struct task_struct *"]
    assert module.enum_values(["IPPROTO_UDP"]) == {"IPPROTO_UDP": socket.IPPROTO_UDP}


@pytest.mark.parametrize("content", [b"", b"\x9f\xeb\x01\x00 cut off", b"text" * 100])
def test_what_is_no_btf_is_said_to_be_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(KernelLacks, match=r"the BTF in .*broken is damaged"):
        Btf(path)


def test_an_absent_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(KernelLacks, match=r"can.t read BTF from .*absent: No such file") as lack:
        Btf(tmp_path / "absent")
    assert "CONFIG_DEBUG_INFO_BTF" in lack.value.remedy


def test_the_running_kernels_own_types() -> None:
    kernel = btf.running()
    assert (kernel.tracepoint_args("sched_switch") or [])[:3] == [
        "bool",
        "struct task_struct *",
        "struct task_struct *",
    ]
    assert kernel.tracepoint_args("sched_wakeup") == ["struct task_struct *"]
    assert kernel.tracepoint_args("softirq_entry") == ["unsigned int"]
    assert {"pid", "tgid", "comm", "real_parent"} <= kernel.members("task_struct")
    assert "skc_daddr" in kernel.members("sock_common")
    assert kernel.has_function("vfs_read")
    asked = {"IPPROTO_TCP": socket.IPPROTO_TCP, "TCP_ESTABLISHED": 1, "TCP_LISTEN": 10, "TCP_CA_Open": 0}
    assert kernel.enum_values([*asked, "NO_SUCH_ENUMERATOR"]) == asked
