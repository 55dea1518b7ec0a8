"""Programs read members at the offsets in BTF: clang computes offsets once for the host, once for BPF."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebpftop.kernel import btf, headers

pytestmark = pytest.mark.bpf

MEMBERS = {
    "task_struct": "pid tgid comm cred signal real_parent group_leader start_boottime cgroups mm nsproxy thread",
    "mm_struct": "mmap_base pgd total_vm start_code arg_start arg_end env_start exe_file",
    "sock": "sk_err sk_protocol __sk_common sk_type",
    "tcp_sock": "bytes_received bytes_sent bytes_retrans mss_cache",
    "request": "q cmd_flags __data_len start_time_ns",
    "request_queue": "disk limits",
    "inode": "i_ino i_size i_mode i_sb",
    "file": "f_inode f_flags f_pos",
}

# compiles argv[1] and prints what its function stored at each index
RUN = """
import json, os, sys, time
from pathlib import Path
from ebpftop.kernel import bcc_home
bcc = bcc_home.load(bcc_home.find())
b = bcc.BPF(text=Path(sys.argv[1]).read_bytes(), cflags=sys.argv[2:])
b.attach_raw_tracepoint(tp=b"sys_enter", fn_name=b"on_enter")
os.getppid()
print(json.dumps({str(k.value): v.value for k, v in b["found"].items()}))
"""


def test_offsets_are_those_of_btf(tmp_path: Path) -> None:
    places = [(tag, member) for tag, members in MEMBERS.items() for member in members.split()]
    assert all(member in btf.running().members(tag) for tag, member in places)
    stores = "".join(
        f"    struct {tag} *p{n} = (void *)task;\n"
        f"    wrong({n}, (char *)&p{n}->{member} - (char *)p{n}, __builtin_offsetof(struct {tag}, {member}));\n"
        for n, (tag, member) in enumerate(places)
    )
    text = f"""
BPF_HASH(found, u32, u64, 128);
static void wrong(u32 index, u64 read_at, u64 lies_at) {{
    if (read_at != lies_at)
        found.update(&index, &read_at);
}}
int on_enter(struct bpf_raw_tracepoint_args *ctx) {{
    struct task_struct *task = (void *)bpf_get_current_task();
{stores}
    u32 index = 1000;
    u64 done = 1;
    found.update(&index, &done);
    return 0;
}}
"""
    tree = headers.write_tree(tmp_path / "tree", text)
    program = tmp_path / "main.c"
    program.write_text(tree.prologue + text)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(program), *tree.flags],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"BCC_KERNEL_SOURCE": str(tree.root)},
    )
    assert done.returncode == 0, done.stderr
    found = {int(index): read_at for index, read_at in json.loads(done.stdout).items()}
    assert found.pop(1000) == 1
    assert {places[index]: read_at for index, read_at in found.items()} == {}
