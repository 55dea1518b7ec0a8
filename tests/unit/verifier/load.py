"""Compile a program with the distribution's BCC and load it, in a process of its own, as LLVM may end it.

What programs can say that BCC can't by itself:
- `KFUNC_name` is the address of a kernel function: `static int (*get)(u64 *it) = (void *)KFUNC_name;`
- a function that is `static`, `noinline` and in section `.bpf.fn.f` (SUBPROGRAM) is called, not inlined.
- `#include "name.h"` finds the headers beside the programs.
"""

from __future__ import annotations

import ctypes
import errno
import os
import pickle
import re
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import bytecode
import global_function

from ebpftop.kernel import btf
from tests.support import bcc_child

TYPES = {
    "socket_filter": 1,
    "kprobe": 2,
    "sched_cls": 3,
    "tracepoint": 5,
    "xdp": 6,
    "cgroup_skb": 8,
    "raw_tracepoint": 17,
    "cgroup_sysctl": 23,
    "syscall": 31,
}
PROGRAMS = Path(__file__).parent / "programs"

_DEBUG_SOURCE = 0x8
_LOG_SIZES = (1 << 24, 1 << 28)
_ANY_ATTACH_TYPE = 0xFFFFFFFF
_SLEEPABLE = 1 << 4
_KFUNC = re.compile(r"\bKFUNC_(\w+)")
_SUBPROGRAM = '#define SUBPROGRAM static __attribute__((noinline, section(".bpf.fn.f")))\n'
_BPF, _PROG_LOAD, _BTF_LOAD = 321, 5, 18
_CAPGET, _CAPSET, _CAP_VERSION = 125, 126, 0x20080522
_SYS_ADMIN, _PERFMON = 21, 38


class How(NamedTuple):
    """perfmon: whether with CAP_PERFMON and CAP_SYS_ADMIN. global_function: whether the subprogram is one, and what it
    returns: "int", "pointer", or "" if it is static.
    """

    sleepable: bool = False
    perfmon: bool = True
    global_function: str = ""


AS_EVER = How()


class Loaded(NamedTuple):
    """output: what clang, LLVM and DEBUG_SOURCE wrote. errno: 0 if it was loaded. absent: a function it lacks here."""

    output: str
    errno: int | None = None
    log: str = ""
    absent: str = ""


def load(text: str, kind: str, how: How = AS_EVER) -> Loaded:
    """Load function `f` of the text."""
    sys.path.append(bcc_child.BCC)
    import bcc  # before the fork, as it takes long

    sys.path.pop()
    names = sorted(set(_KFUNC.findall(text)))
    types = btf.running()
    kfuncs = {name: types.find("func", name) for name in names}
    if missing := [name for name, number in kfuncs.items() if number is None]:
        return Loaded("", absent=missing[0])
    defines = "".join(f"#define KFUNC_{name} {bytecode.FIRST_KFUNC + at:#x}\n" for at, name in enumerate(names))
    ids = [number or 0 for number in kfuncs.values()]
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as result,
    ):
        child = os.fork()
        if not child:
            try:
                os.dup2(output.fileno(), 2)
                os.environ["BCC_KERNEL_SOURCE"] = folder
                _headers(Path(folder))
                told = _load(bcc, _SUBPROGRAM + defines + text, TYPES[kind], ids, how)
                pickle.dump(told, result)
                result.flush()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        output.seek(0)
        result.seek(0)
        written = output.read().decode(errors="replace")
        return Loaded(written, *(pickle.load(result) if os.fstat(result.fileno()).st_size else ()))


def _headers(folder: Path) -> None:
    for name, content in bcc_child.HEADERS.items():
        path = folder / "include" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def _load(bcc: Any, text: str, kind: int, kfuncs: list[int], how: How) -> tuple[int | None, str]:
    """(errno, log); errno None if it did not compile."""

    class Quiet(bcc.BPF):
        def _trace_autoload(self) -> None: ...

    try:
        module = Quiet(text=text.encode(), debug=_DEBUG_SOURCE, cflags=[f"-I{PROGRAMS}"]).module
    except Exception:  # BCC raises nothing more special; clang has said why
        return None, ""
    lib = bcc.lib
    start = lib.bpf_function_start(module, b"f")
    second = lib.bpf_function_size(module, b"f") // 8
    count = bytecode.whole(start, second)
    program = ctypes.create_string_buffer(bytecode.linked(start, count, kfuncs), count * 8)
    licence = lib.bpf_module_license(module)
    if not how.perfmon:
        _without(_PERFMON, _SYS_ADMIN)
    for size in _LOG_SIZES:
        log = ctypes.create_string_buffer(size)
        if how.sleepable or how.global_function:
            fd = _prog_load(kind, program, licence, log, second, how)
        else:
            fd = lib.bcc_func_load(
                module, kind, b"f", program, count * 8, licence, 0, 1, log, size, None, _ANY_ATTACH_TYPE
            )
        refused = 0 if fd >= 0 else ctypes.get_errno()
        if refused != errno.ENOSPC:
            break
    return refused, log.value.decode()


def _prog_load(kind: int, program: Any, licence: bytes, log: Any, second: int, how: How) -> int:
    """bpf(2) itself, as BCC passes no flags; without the information on lines, which BCC keeps to itself.

    second: the instruction that begins the second function.
    """
    flags = _SLEEPABLE if how.sleepable else 0
    types, functions = 0, ctypes.create_string_buffer(0)
    if how.global_function:
        described, f, get = global_function.btf(how.global_function == "pointer")
        held = ctypes.create_string_buffer(described, len(described))
        types = _bpf(_BTF_LOAD, struct.pack("<QQIII", ctypes.addressof(held), 0, len(held), 0, 0))
        functions = ctypes.create_string_buffer(struct.pack("<IIII", 0, f, second, get), 16)
    text = ctypes.create_string_buffer(licence)
    return _bpf(
        _PROG_LOAD,
        struct.pack("<IIQQ", kind, len(program) // 8, ctypes.addressof(program), ctypes.addressof(text))
        + struct.pack("<IIQII16sII", 1, len(log), ctypes.addressof(log), 0, flags, b"f", 0, 0)
        + struct.pack("<IIQI", types, 8 if types else 0, ctypes.addressof(functions), len(functions) // 8),
    )


def _bpf(command: int, attributes: bytes) -> int:
    return int(_libc().syscall(_BPF, command, attributes, len(attributes)))


def _without(*capabilities: int) -> None:
    """Drop capabilities from the effective and permitted sets."""
    header = struct.pack("<Ii", _CAP_VERSION, 0)
    data = ctypes.create_string_buffer(24)
    _libc().syscall(_CAPGET, header, data)
    words = list(struct.unpack("<6I", data.raw))
    for capability in capabilities:
        for which in (0, 1):  # effective, permitted
            words[3 * (capability // 32) + which] &= ~(1 << capability % 32)
    if _libc().syscall(_CAPSET, header, struct.pack("<6I", *words)):
        raise OSError(ctypes.get_errno(), "capset")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
