"""Compile a program with the distribution's BCC and load it as asked, in a process of its own, as LLVM may end it.

What programs can say that BCC can't by itself:
- `KFUNC_name` is the address of a kernel function: `static int (*get)(u64 *it) = (void *)KFUNC_name;`
- a function that is `static`, `noinline` and in section `.bpf.fn.f` (SUBPROGRAM) is called, not put inline.
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from support import bcc_child

from ebpftop.kernel import btf

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
_KFUNC, _FIRST_KFUNC = re.compile(r"\bKFUNC_(\w+)"), 0x4000_0000
_SUBPROGRAM = '#define SUBPROGRAM static __attribute__((noinline, section(".bpf.fn.f")))\n'
_CALL, _EXIT, _LONG, _JUMPS = 0x85, 0x95, 0x18, (0x5, 0x6)
_TO_FUNCTION, _TO_KFUNC = 1, 2  # in the source register of a call
_BPF, _PROG_LOAD = 321, 5
_CAPGET, _CAPSET, _CAP_VERSION = 125, 126, 0x20080522
_SYS_ADMIN, _PERFMON = 21, 38


class Loaded(NamedTuple):
    """output: what clang, LLVM and DEBUG_SOURCE wrote. errno: 0 if it was loaded. absent: a function it lacks here."""

    output: str
    errno: int | None = None
    log: str = ""
    absent: str = ""


def load(text: str, kind: str, *, sleepable: bool = False, perfmon: bool = True) -> Loaded:
    """Load function `f` of the text. perfmon: whether with CAP_PERFMON and CAP_SYS_ADMIN."""
    sys.path.append(bcc_child.BCC)
    import bcc  # before the fork, as it takes long

    sys.path.pop()
    names = sorted(set(_KFUNC.findall(text)))
    types = btf.running()
    kfuncs = {name: types.find("func", name) for name in names}
    if missing := [name for name, number in kfuncs.items() if number is None]:
        return Loaded("", absent=missing[0])
    defines = "".join(f"#define KFUNC_{name} {_FIRST_KFUNC + at:#x}\n" for at, name in enumerate(names))
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
                told = _load(bcc, _SUBPROGRAM + defines + text, TYPES[kind], ids, sleepable, perfmon)
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
    for name, content in bcc_child._HEADERS.items():
        path = folder / "include" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def _load(bcc: Any, text: str, kind: int, kfuncs: list[int], sleepable: bool, perfmon: bool) -> tuple[int | None, str]:
    """(errno, log); errno None if it did not compile."""

    class Quiet(bcc.BPF):  # type: ignore[misc]
        def _trace_autoload(self) -> None: ...

    try:
        module = Quiet(text=text.encode(), debug=_DEBUG_SOURCE, cflags=[f"-I{PROGRAMS}"]).module
    except Exception:  # BCC raises nothing more special; clang has said why
        return None, ""
    lib = bcc.lib
    start = lib.bpf_function_start(module, b"f")
    count = _whole(start, lib.bpf_function_size(module, b"f") // 8)
    program = ctypes.create_string_buffer(b"".join(_linked(start, count, kfuncs)), count * 8)
    licence = lib.bpf_module_license(module)
    if not perfmon:
        _without(_PERFMON, _SYS_ADMIN)
    for size in _LOG_SIZES:
        log = ctypes.create_string_buffer(size)
        if sleepable:
            fd = _prog_load(kind, program, count, licence, log, _SLEEPABLE)
        else:
            fd = lib.bcc_func_load(
                module, kind, b"f", program, count * 8, licence, 0, 1, log, size, None, _ANY_ATTACH_TYPE
            )
        refused = 0 if fd >= 0 else ctypes.get_errno()
        if refused != errno.ENOSPC:
            break
    return refused, log.value.decode()


def _instructions(start: int, count: int) -> Iterator[tuple[int, int, int, int, int]]:
    """(number, opcode, source register, offset, immediate) of each instruction from an address on, until count."""
    number = 0
    while number < count:
        opcode, registers, offset, immediate = struct.unpack("<BBhi", ctypes.string_at(start + number * 8, 8))
        yield number, opcode, registers >> 4, offset, immediate
        number += 2 if opcode == _LONG else 1


def _whole(start: int, count: int) -> int:
    """How many instructions a function has with the subprograms behind it, which BCC's own size leaves out."""
    called = [
        number + 1 + immediate
        for number, opcode, source, _, immediate in _instructions(start, count)
        if opcode == _CALL and source == _TO_FUNCTION
    ]
    if max(called, default=0) < count:
        return count
    needed, whole, number = max(called) + 1, 0, 0
    while whole < needed:
        last = 0
        for number, last, source, offset, immediate in _instructions(start, needed):
            if last == _CALL and source == _TO_FUNCTION:
                needed = max(needed, number + 2 + immediate)
            elif last & 7 in _JUMPS and last not in (_CALL, _EXIT):
                needed = max(needed, number + 2 + offset)
        whole = number + (2 if last == _LONG else 1)
        if last != _EXIT:
            needed = max(needed, whole + 1)
    return whole


def _linked(start: int, count: int, kfuncs: list[int]) -> Iterator[bytes]:
    """The instructions, calls of KFUNC_ addresses made calls of kernel functions."""
    for number in range(count):
        raw = ctypes.string_at(start + number * 8, 8)
        opcode, _, _, immediate = struct.unpack("<BBhi", raw)
        if opcode == _CALL and immediate >= _FIRST_KFUNC:
            raw = struct.pack("<BBhi", _CALL, _TO_KFUNC << 4, 0, kfuncs[immediate - _FIRST_KFUNC])
        yield raw


def _prog_load(kind: int, program: Any, count: int, licence: bytes, log: Any, flags: int) -> int:
    """bpf(2) itself, as BCC passes no flags; without the information on lines, which BCC keeps to itself."""
    text = ctypes.c_char_p(licence)
    at = ctypes.cast(text, ctypes.c_void_p).value
    attributes = struct.pack(
        "<IIQQIIQII16sII",
        *(kind, count, ctypes.addressof(program), at, 1, len(log), ctypes.addressof(log), 0, flags, b"f", 0, 0),
    )
    return _libc().syscall(_BPF, _PROG_LOAD, attributes, len(attributes))


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
