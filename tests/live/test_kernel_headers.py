"""BCC compiles with nothing but the header tree, and the values read through it are right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebpftop.kernel import bcc_home, btf, headers
from ebpftop.kernel.btf import Btf
from tests.support.btf_file import BtfFile
from tests.support.tracing import any_kernel

pytestmark = pytest.mark.bpf

# compiles argv[1] with the flags argv[3:]; prints what the map `found` holds after function argv[2] saw this process
COMPILE = """
import ctypes, json, os, sys
from pathlib import Path
from ebpftop.kernel import bcc_home
bcc = bcc_home.load(bcc_home.find())
text = Path(sys.argv[1]).read_text().replace("WATCHED", str(os.getpid()))
b = bcc.BPF(text=text.encode(), cflags=["-Werror=implicit-function-declaration", *sys.argv[3:]])
for name in sys.argv[2].split():
    b.attach_raw_tracepoint(tp=b"sys_enter", fn_name=name.encode())
os.getppid()
if sys.argv[2]:
    print(json.dumps({"found": {k.value: v.value for k, v in b["found"].items()}, "parent": os.getppid()}))
"""

READS = """
#include <linux/sched.h>
BPF_HASH(found, u32, u64, 64);
static int keep(u32 slot, u64 value) { found.update(&slot, &value); return 0; }
int on_enter(struct bpf_raw_tracepoint_args *ctx) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    if (task->tgid != WATCHED) return 0;
    keep(0, task->real_parent->tgid);
    keep(1, task->real_cred->uid.val);
    keep(2, task->nsproxy->pid_ns_for_children->ns.inum);
    keep(3, task->mm->exe_file->f_inode->i_ino);
    keep(4, task->mm->exe_file->f_inode->i_size);
    keep(5, S_ISREG(task->mm->exe_file->f_inode->i_mode));
    keep(6, task->start_boottime / NSEC_PER_SEC);
#ifdef HAS_task_struct__tgid
    keep(7, IPPROTO_UDP);
#endif
    return 0;
}
"""

COMPILES = """
#include <net/sock.h>
#include <linux/blk-mq.h>
BPF_HASH(found, u32, u64, 64);
int on_socket(struct bpf_raw_tracepoint_args *ctx) {
    struct sock *sk = (struct sock *)ctx->args[0];
    struct tcp_sock *tcp = tcp_sk(sk);
    u32 key = ntohs(sk->sk_dport);
    u64 value = tcp->bytes_received + sk->sk_family + (sk->sk_state == TCP_ESTABLISHED);
    found.update(&key, &value);
    return 0;
}
int on_request(struct bpf_raw_tracepoint_args *ctx) {
    struct request *rq = (struct request *)ctx->args[0];
    u32 key = rq->q->disk->first_minor;
    u64 value = rq->__data_len + (rq->cmd_flags & REQ_OP_MASK);
    found.update(&key, &value);
    return 0;
}
int on_file(struct bpf_raw_tracepoint_args *ctx) {
    struct file *file = (struct file *)ctx->args[0];
    u32 key = file->f_inode->i_sb->s_dev;
    u64 value = file->f_inode->i_ino;
    found.update(&key, &value);
    return 0;
}
int on_sample(struct bpf_perf_event_data *ctx) { return PT_REGS_IP(&ctx->regs) == 0; }
"""


def compile_with(tree: headers.Tree, tmp_path: Path, text: str, run: str = "") -> subprocess.CompletedProcess[str]:
    program = tmp_path / "main.c"
    program.write_text(tree.prologue + text)
    flags = [*tree.flags, *(f"-D{name}" for name in tree.defines)]
    command = [sys.executable, "-c", COMPILE, str(program), run, *flags]
    environment = os.environ | {"BCC_KERNEL_SOURCE": str(tree.root)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_values_read_through_the_tree_are_those_of_proc(tmp_path: Path) -> None:
    done = compile_with(headers.write_tree(tmp_path / "tree", READS), tmp_path, READS, "on_enter")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    found = {int(slot): value for slot, value in said["found"].items()}
    program = os.stat(sys.executable)
    age = found.pop(6)
    assert found == {
        0: os.getpid(),
        1: os.getuid(),
        2: os.stat("/proc/self/ns/pid").st_ino,
        3: program.st_ino,
        4: program.st_size,
        5: 1,
        7: 17,
    }
    assert 0 < age <= float(Path("/proc/uptime").read_text().split()[0])


def test_sockets_requests_files_and_samples_compile_at_the_first_try(tmp_path: Path) -> None:
    done = compile_with(headers.write_tree(tmp_path / "tree", COMPILES), tmp_path, COMPILES)
    assert done.returncode == 0, done.stderr


def test_a_type_behind_a_cast_is_had_by_the_compilers_complaint(tmp_path: Path) -> None:
    """No token names the type of what `parent` points to here."""
    text = (
        "int f(struct bpf_raw_tracepoint_args *c) { return ((typeof(((T *)0)->sk_prot))c->args[0])->sysctl_mem != 0; }"
    )
    text = "#define T struct sock\n#define sk_prot __sk_common.skc_prot\n" + text
    tree = headers.write_tree(tmp_path / "tree", "")
    done = compile_with(tree, tmp_path, text)
    assert done.returncode != 0
    missing = headers.incomplete_types(done.stderr)
    assert missing == ["struct sock"]
    again = compile_with(headers.write_tree(tmp_path / "tree", "", missing), tmp_path, text)
    assert headers.incomplete_types(again.stderr) == ["struct proto"]
    last = compile_with(headers.write_tree(tmp_path / "tree", "", [*missing, "struct proto"]), tmp_path, text)
    assert last.returncode == 0, last.stderr


@any_kernel
def test_a_layout_seen_differently_is_an_error(tmp_path: Path) -> None:
    """Without the extension a tagged anonymous member declares nothing, and what follows it would move up."""
    number = btf.running().find("typedef", "__u64") or 0
    file = BtfFile(on_vmlinux=True)
    inner = file.struct("made_inner", 8, ("deep", number, 0))
    file.struct("made_outer", 24, ("first", number, 0), ("", inner, 8), ("last", number, 16))
    made = Btf(file.write(tmp_path / "made"), base=btf.running())
    text = "BPF_HASH(found, u32, u64);\nint f(struct made_outer *o) { return o->deep; }\n"
    tree = headers.write_tree(tmp_path / "tree", text, types=made)
    done = compile_with(tree, tmp_path, text)
    assert done.returncode == 0, done.stderr
    refused = compile_with(tree._replace(flags=[]), tmp_path, text.replace("o->deep", "o->first"))
    assert refused.returncode != 0
    assert "struct made_outer is 24 bytes in this kernel" in refused.stderr


def test_the_tree_alone_is_used(tmp_path: Path) -> None:
    """A kernel header the tree does not have is not found elsewhere."""
    assert bcc_home.find().name == "bcc"
    text = '#include "linux/sched/signal.h"\n'
    done = compile_with(headers.write_tree(tmp_path / "tree", text), tmp_path, text)
    assert done.returncode != 0
    assert "file not found" in done.stderr
