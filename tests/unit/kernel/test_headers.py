"""The header tree, from the running kernel's BTF. That it compiles is a live test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ebpftop.kernel import btf, headers
from ebpftop.kernel.btf import Btf
from tests.support.btf_file import BtfFile


def types(tree: headers.Tree) -> str:
    return (tree.root / "include/generated/kernel_types.h").read_text()


def test_types_named_and_types_behind_the_members_named_are_defined(tmp_path: Path) -> None:
    tree = headers.write_tree(tmp_path, "int f(struct file *file) { return file->f_inode->i_sb->s_dev; }")
    for name in ("file", "inode", "super_block"):
        assert re.search(rf"^struct {name} {{", types(tree), re.MULTILINE)
    assert "struct block_device {" not in types(tree)
    assert tree.missing == []


def test_sizes_are_asserted(tmp_path: Path) -> None:
    tree = headers.write_tree(tmp_path, "struct list_head *list;")
    assert "_Static_assert(sizeof(struct list_head) == 16, " in types(tree)


def test_extra_types_are_added(tmp_path: Path) -> None:
    tree = headers.write_tree(tmp_path, "", ["struct super_block", "blk_status_t", "struct no_such"])
    assert "struct super_block {" in types(tree)
    assert " blk_status_t;" in types(tree)
    assert tree.missing == ["struct no_such"]


def test_what_bcc_defines_is_left_to_it(tmp_path: Path) -> None:
    text = "struct bpf_prog *p; struct bpf_map *m; struct bpf_raw_tracepoint_args *a; struct __sk_buff *s;"
    tree = headers.write_tree(tmp_path, text + "struct tracepoint__sched__sched_switch *t;")
    assert not re.search(r"^(struct|enum) (bpf_|__sk_buff|tracepoint__)\w* {", types(tree), re.MULTILINE)
    assert tree.missing == []


def test_a_struct_of_the_programs_own_keeps_its_name(tmp_path: Path) -> None:
    tree = headers.write_tree(tmp_path, "struct list_head { u32 mine; }; struct inode *inode;")
    assert "struct list_head__kernel {" in types(tree)
    assert not re.search(r"\bstruct list_head\b", types(tree))


def test_only_members_that_exist_are_defined(tmp_path: Path) -> None:
    text = "\n".join(
        f"#ifdef {name}\n#endif" for name in ("HAS_task_struct__tgid", "HAS_task_struct__no_such", "HAS_x__y")
    )
    assert headers.write_tree(tmp_path, text).defines == ["HAS_task_struct__tgid"]


def test_members_may_begin_with_underscores(tmp_path: Path) -> None:
    assert "__data_len" in btf.running().members("request")
    assert headers.write_tree(tmp_path, "#ifdef HAS_request____data_len").defines == ["HAS_request____data_len"]


def test_the_prologue_has_the_constants_used_and_no_others(tmp_path: Path) -> None:
    text = "int x = IPPROTO_TCP + AF_INET6 + ENOENT + S_ISREG(mode) + sk->sk_dport + OWN; u32 y = tcp_sk(sk)->snd_cwnd;"
    tree = headers.write_tree(tmp_path, f"#define OWN 1\n{text}")
    lines = tree.prologue.splitlines()
    assert "#define IPPROTO_TCP 6" in lines
    assert "#define AF_INET6 10" in lines
    assert "#define ENOENT 2" in lines
    assert "#define sk_dport __sk_common.skc_dport" in lines
    assert any(" S_ISREG(unsigned int mode) " in line for line in lines)
    assert len(lines) == 6
    assert "struct tcp_sock {" in types(tree)


def test_headers_the_source_includes_are_there_and_empty(tmp_path: Path) -> None:
    tree = headers.write_tree(tmp_path, "#include <linux/blk-mq.h>\n#include <bcc/proto.h>\n#include <linux/types.h>\n")
    assert (tree.root / "include/linux/blk-mq.h").read_text() == ""
    assert not (tree.root / "include/bcc").exists()
    assert "kernel_types.h" in (tree.root / "include/linux/types.h").read_text()


def test_a_tagged_anonymous_member_asks_for_the_compilers_extension(tmp_path: Path) -> None:
    file = BtfFile(on_vmlinux=True)
    number = btf.running().find("typedef", "__u64") or 0
    inner = file.struct("made_inner", 8, ("deep", number, 0))
    file.struct("made_outer", 16, ("first", number, 0), ("", inner, 8))
    made = Btf(file.write(tmp_path / "made"), base=btf.running())
    assert headers.write_tree(tmp_path, "struct made_outer *o;", types=made).flags == ["-fms-extensions"]
    assert headers.write_tree(tmp_path, "struct made_inner *o;", types=made).flags == []


CLANG_14 = """/virtual/main.c:7:18: error: incomplete definition of type 'struct super_block'
/virtual/main.c:3:8: note: forward declaration of 'struct super_block'
/virtual/main.c:9:1: error: unknown type name 'fmode_t'
/virtual/main.c:10:5: error: variable has incomplete type 'struct path'
/virtual/main.c:11:5: error: invalid application of 'sizeof' to an incomplete type 'const struct qstr'
/virtual/main.c:12:5: error: field has incomplete type 'union sigval'
"""


def test_incomplete_types_are_read_from_clangs_words() -> None:
    expected = ["struct super_block", "fmode_t", "struct path", "struct qstr", "union sigval"]
    assert headers.incomplete_types(CLANG_14) == expected
    assert headers.incomplete_types("main.c:1:1: error: expected ';' after expression") == []


@pytest.mark.parametrize(
    ("release", "code"),
    [("5.15.0-91-generic", 0x050F00), ("6.1.300", 0x0601FF), ("6.18.44-fc", 0x06122C), ("6.12-rc1", 0x060C00)],
)
def test_version_codes(release: str, code: int) -> None:
    assert headers.version_code(release) == code
