"""Compiles and loads a program with the distribution's BCC in a separate process, because LLVM may exit it.

No kernel headers: the programs use no kernel types, and the headers that BCC itself includes are below. As a script, it
reads {"text", "kind"} from stdin and writes {"errno", "log"} to stdout.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOCKET_FILTER, TRACEPOINT, RAW_TRACEPOINT, CGROUP_SYSCTL = 1, 5, 17, 23
BCC = "/usr/lib/python3/dist-packages"
_DEBUG_SOURCE = 0x8
_LOG_SIZE = 1 << 24
_ANY_ATTACH_TYPE = 0xFFFFFFFF

_INTEGERS = "".join(
    f"typedef {sign} {name} __{letter}{bits}; typedef __{letter}{bits} {letter}{bits};\n"
    for sign, letter in (("unsigned", "u"), ("signed", "s"))
    for bits, name in ((8, "char"), (16, "short"), (32, "int"), (64, "long long"))
)
_TYPES = f"""#pragma once
{_INTEGERS}
typedef u16 __be16; typedef u32 __be32; typedef u64 __be64; typedef u32 __wsum; typedef u16 __sum16;
typedef _Bool bool; typedef unsigned long size_t; typedef unsigned long uintptr_t;
typedef u64 __attribute__((aligned(8))) __aligned_u64;
struct pt_regs {{ unsigned long di, si, dx, cx, r8, ax, ip, sp, bp; }};
#define NULL ((void *)0)
#define __user
#define roundup_pow_of_two(n) (n)
"""
# The headers that BCC's own headers include, by path: enough for small programs, and the same for every kernel.
HEADERS = {
    "linux/kconfig.h": "#define CONFIG_BPF_SYSCALL 1\n",
    "linux/version.h": "#define LINUX_VERSION_CODE 0\n#define KERNEL_VERSION(a, b, c) 0\n",
    "linux/types.h": _TYPES,
    "asm/page.h": "#define PAGE_SHIFT 12\n#define PAGE_SIZE 4096\n",
    "linux/bpf_common.h": "",
    "linux/log2.h": "",
    "uapi/linux/bpf.h": "",
    "uapi/linux/if_packet.h": "",
    "uapi/linux/ptrace.h": "",
}


@dataclass(frozen=True)
class Result:
    """output: of clang, LLVM and DEBUG_SOURCE. errno: 0 if it was loaded, None if it did not compile."""

    output: str
    errno: int | None = None
    log: str = ""


def compile_and_load(text: str, kind: int = RAW_TRACEPOINT) -> Result:
    """Load function `f` of the text."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in HEADERS.items():
            path = Path(folder, "include", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        done = subprocess.run(
            [sys.executable, __file__],
            input=json.dumps({"text": text, "kind": kind}),
            env=os.environ | {"BCC_KERNEL_SOURCE": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    return Result(done.stderr, **json.loads(done.stdout or "{}"))


def _main() -> None:
    sys.path.append(BCC)
    import bcc

    class Quiet(bcc.BPF):
        def _trace_autoload(self) -> None: ...

    order = json.load(sys.stdin)
    try:
        program = Quiet(text=order["text"].encode(), debug=_DEBUG_SOURCE)
    except Exception:  # BCC raises plain Exception; clang has printed why
        return
    lib, handle, log = bcc.lib, program.module, ctypes.create_string_buffer(_LOG_SIZE)
    start, size, licence = (
        lib.bpf_function_start(handle, b"f"),
        lib.bpf_function_size(handle, b"f"),
        lib.bpf_module_license(handle),
    )
    fd = lib.bcc_func_load(
        handle, order["kind"], b"f", start, size, licence, 0, 1, log, _LOG_SIZE, None, _ANY_ATTACH_TYPE
    )
    json.dump({"errno": 0 if fd >= 0 else ctypes.get_errno(), "log": log.value.decode()}, sys.stdout)


if __name__ == "__main__":
    _main()
