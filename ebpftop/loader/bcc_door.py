"""The only interface to BCC: compile a text, describe its maps, load its programs with our own log buffer, attach them.

BCC is the distribution's, loaded from an explicit path that root owns and never from the import path: the name on PyPI
belongs to an unrelated package, and a user must not be able to slip root a module of that name. Layouts come from BCC's
ctypes descriptions; reference: bcc's libbpf.h and bcc_common.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import re
from functools import cache
from typing import Any

from ebpftop.base.map_types import KEYLESS, PER_CPU, RINGBUF
from ebpftop.frames.layout import Field, MapLayout, Record
from ebpftop.kernel import libbpf, link, perf
from ebpftop.kernel.libbpf import KernelLacks
from ebpftop.loader.compose import NAMES_MODULES
from ebpftop.loader.targets import Place

_LOG_START, _LOG_LIMIT = 1 << 20, 1 << 26
_LOG_LEVEL_STEPS, _LOG_LEVEL_STATISTICS = 1, 4  # BPF_LOG_LEVEL1: every step; BPF_LOG_STATS: the result alone
_DEBUG_SOURCE = 0x8
_PROGRAM_TYPE = {
    "kprobe": 2,
    "kretprobe": 2,
    "uprobe": 2,
    "uretprobe": 2,
    "usdt": 2,
    "tracepoint": 5,
    "perf_event": 7,
    "raw_tracepoint": 17,
    "fentry": 26,
    "fexit": 26,
}


class CompileError(Exception):
    """Clang rejected the text; its messages are on the process's stderr."""


class VerifierError(Exception):
    """The kernel rejected a program."""

    def __init__(self, function: str, number: int, log: str) -> None:
        super().__init__(os.strerror(number))
        self.function, self.errno, self.log = function, number, log


class AttachError(Exception):
    """A program could not be attached; the text names the point and the kernel's reason."""


@cache
def keep_lines(bcc: Any) -> None:
    """Stop LLVM from merging equal ends of two branches, because a merged end has the line of neither. Lasts as long as
    this process; works only if libbcc links LLVM as a shared library.
    """
    with contextlib.suppress(AttributeError):
        options = (ctypes.c_char_p * 2)(b"ebpftop", b"-enable-tail-merge=0")
        bcc.lib.LLVMParseCommandLineOptions(len(options), options, None)


class Module:
    """One compiled text. Raises `CompileError`."""

    def __init__(self, bcc: Any, text: str, flags: list[str], *, debug_source: bool = False) -> None:
        class Quiet(bcc.BPF):  # type: ignore[misc]
            """The constructor of BPF attaches functions by the prefixes of their names; here the manifest decides
            instead.
            """

            def _trace_autoload(self) -> None: ...

        try:
            self._bpf = Quiet(text=text.encode(), cflags=flags, debug=_DEBUG_SOURCE if debug_source else 0)
        except Exception as error:
            raise CompileError(str(error)) from None
        self._lib = bcc.lib
        self._handle = ctypes.c_void_p(self._bpf.module)  # bcc declares no types for some functions
        self._names_modules = bool(self._lib.bpf_function_start(self._handle, NAMES_MODULES.encode()))

    def _named(self, name: str) -> bytes:
        """The name that this BCC uses for a function or program."""
        match = re.match(r"kfunc__|kretfunc__", name)
        if match and self._names_modules:
            name = f"{match[0]}vmlinux__{name[match.end() :]}"
        return name.encode()

    # ---------------------------------------------------------------- maps

    def maps(self) -> list[MapLayout]:
        """All maps of the text, in order of declaration."""
        lib, found = self._lib, []
        lib.bpf_table_name.restype = ctypes.c_char_p
        lib.bpf_table_name.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        for index in range(lib.bpf_num_tables(self._handle)):
            name = lib.bpf_table_name(self._handle, index)
            kind = lib.bpf_table_type_id(self._handle, index)
            entries = libbpf.map_entries(self.map_fd(name.decode()))
            if kind == RINGBUF:
                key, value = Record(0, []), self._event(name)
            else:
                has_key = kind not in KEYLESS
                key = (
                    _record(self._type(lib.bpf_table_key_desc(self._handle, name)), "key") if has_key else Record(0, [])
                )
                value = _record(self._type(lib.bpf_table_leaf_desc(self._handle, name)), "value")
            found.append(MapLayout(name=name.decode(), kind=kind, max_entries=entries, key=key, value=value))
        return found

    def _type(self, description: bytes) -> Any:
        return self._bpf._decode_table_type(json.loads(description))

    def map_fd(self, name: str) -> int:
        return int(self._lib.bpf_table_fd(self._handle, name.encode()))

    def _event(self, ring: bytes) -> Record:
        """BCC describes a ring buffer's record as "name#C type" strings without offsets; natural alignment determines
        them.
        """
        count = int(self._lib.bpf_perf_event_fields(self._handle, ring))
        fields, at, widest = [], 0, 1
        for index in range(count):
            name, _, c_type = self._lib.bpf_perf_event_field(self._handle, ring, index).decode().partition("#")
            dtype, size, length = _c_type(c_type)
            at = -(-at // size) * size
            fields.append(Field(name, f"S{length}" if dtype == "S" else dtype, at, 1 if dtype == "S" else length))
            at += size * length
            widest = max(widest, size)
        return Record(-(-at // widest) * widest, fields)

    # ---------------------------------------------------------------- programs

    def load(self, function: str, mechanism: str, name: str) -> int:
        """Load one function under a name and return its descriptor; for fentry and fexit the name includes the target.

        Raises `VerifierError` with the log, and `CompileError` if there is no such function. The first attempt gets a
        log only if the program is rejected. If the program is too complex, libbcc drops the log, and a log may be
        longer than the buffer: then a second attempt requests it explicitly.
        """
        if not self._lib.bpf_function_start(self._handle, self._named(function)):
            raise CompileError(f"the C defines no function {function}")
        fd, number, log = self._load(function, mechanism, name, 0, _LOG_START)
        if fd >= 0:
            return fd
        size = _LOG_START
        while number == errno.ENOSPC or (not log and number not in (errno.EPERM, errno.EOPNOTSUPP)):
            size *= 8
            _, number, log = self._load(function, mechanism, name, _LOG_LEVEL_STEPS, size)
            if number == errno.ENOSPC and size >= _LOG_LIMIT:
                _, number, last = self._load(function, mechanism, name, _LOG_LEVEL_STATISTICS, _LOG_START)
                log = f"{log}\n[the log is cut here, after {size >> 20} MiB]\n{last}"
            elif number != errno.ENOSPC:
                break
        raise VerifierError(function, number, log)

    def _load(self, function: str, mechanism: str, name: str, level: int, size: int) -> tuple[int, int, str]:
        """(descriptor or -1, errno, log)."""
        lib, code, log = self._lib, self._named(function), ctypes.create_string_buffer(size)
        fd = lib.bcc_func_load(
            self._handle,
            _PROGRAM_TYPE[mechanism],
            self._named(name),
            lib.bpf_function_start(self._handle, code),
            lib.bpf_function_size(self._handle, code),
            lib.bpf_module_license(self._handle),
            lib.bpf_module_kern_version(self._handle),
            level,
            log,
            size,
            None,
            -1,
        )
        return int(fd), ctypes.get_errno(), log.value.decode("utf-8", "replace")

    def instructions(self, function: str) -> int:
        return int(self._lib.bpf_function_size(self._handle, self._named(function))) // 8

    def attach(self, program: int, place: Place, cookie: int) -> list[int]:
        """Attach a loaded program. Closing the returned descriptors detaches it. Raises `AttachError`."""
        try:
            match place.mechanism:
                case "kprobe" | "kretprobe":
                    returns = place.mechanism == "kretprobe"
                    return [link.kprobe(program, place.target, returns=returns, cookie=cookie)]
                case "fentry" | "fexit":
                    return [link.tracing(program, returns=place.mechanism == "fexit", cookie=cookie)]
                case "uprobe" | "uretprobe" | "usdt":
                    return [self._attach_in_file(program, place, cookie)]
            return self._attach(program, place)
        except (OSError, KernelLacks) as error:
            raise AttachError(f"{place}: {error.strerror if isinstance(error, OSError) else error}") from None

    def _attach_in_file(self, program: int, place: Place, cookie: int) -> int:
        return link.uprobe(
            program,
            f"/proc/self/fd/{place.descriptor}".encode(),
            place.offset,
            returns=place.mechanism == "uretprobe",
            semaphore=place.semaphore,
            cookie=cookie,
            pid=place.process,
        )

    def _attach(self, program: int, place: Place) -> list[int]:
        lib, target = self._lib, place.target.encode()
        match place.mechanism:
            case "raw_tracepoint":
                fds = [lib.bpf_attach_raw_tracepoint(program, target)]
            case "tracepoint":
                category, _, event = target.partition(b":")
                fds = [lib.bpf_attach_tracepoint(program, category, event)]
            case "perf_event":
                config, period = perf.SOFTWARE_EVENTS[place.target], 0 if place.frequency else 1
                fds = [
                    lib.bpf_attach_perf_event(program, perf.TYPE_SOFTWARE, config, period, place.frequency, -1, cpu, -1)
                    for cpu in sorted(os.sched_getaffinity(0))
                ]
        number = ctypes.get_errno()
        if any(fd < 0 for fd in fds):
            for fd in fds:
                if fd >= 0:
                    os.close(fd)
            raise OSError(number, os.strerror(number))
        return [int(fd) for fd in fds]


def memory(layout: MapLayout, cpus: int) -> int:
    """The most bytes a map may take, without the kernel's own overhead: entries × (key + value × CPUs)."""
    if layout.kind == RINGBUF:
        return layout.max_entries
    values = -(-layout.value.size // 8) * 8 * cpus if layout.kind in PER_CPU else layout.value.size
    return layout.max_entries * (layout.key.size + values)


_SCALARS = {1: "u1", 2: "<u2", 4: "<u4", 8: "<u8"}
_C_TYPES = {
    "char": ("S", 1),
    "signed char": ("i1", 1),
    "s8": ("i1", 1),
    "unsigned char": ("u1", 1),
    "u8": ("u1", 1),
    "_Bool": ("u1", 1),
    "bool": ("u1", 1),
    "short": ("<i2", 2),
    "s16": ("<i2", 2),
    "unsigned short": ("<u2", 2),
    "u16": ("<u2", 2),
    "int": ("<i4", 4),
    "s32": ("<i4", 4),
    "unsigned int": ("<u4", 4),
    "u32": ("<u4", 4),
    "long": ("<i8", 8),
    "long long": ("<i8", 8),
    "s64": ("<i8", 8),
    "unsigned long": ("<u8", 8),
    "unsigned long long": ("<u8", 8),
    "u64": ("<u8", 8),
    "void *": ("<u8", 8),
}


def _c_type(text: str) -> tuple[str, int, int]:
    """(dtype or "S" for text, size of one element, number of elements) of a C type as BCC spells it."""
    match = re.fullmatch(r"(.+?) ?(?:\[(\d+)\])?", text)
    base, length = (match[1], int(match[2] or 1)) if match else (text, 1)
    if base not in _C_TYPES:
        raise CompileError(f"a record with a field of type {text!r} can't be shown: use integers and char arrays")
    dtype, size = _C_TYPES[base]
    return dtype, size, length


def _record(c_type: Any, scalar: str) -> Record:
    """Layout of a ctypes type; a scalar becomes one field of the given name."""
    size = ctypes.sizeof(c_type)
    if not hasattr(c_type, "_fields_"):
        return Record(size, [_field(scalar, c_type, 0)])
    fields = [
        _field(name, kind, getattr(c_type, name).offset)
        for name, kind, *_ in c_type._fields_
        if not name.startswith("__pad")
    ]
    return Record(size, fields)


def _field(name: str, c_type: Any, offset: int) -> Field:
    if issubclass(c_type, ctypes.Array):
        element, length = c_type._type_, c_type._length_
        if element is ctypes.c_char:
            return Field(name, f"S{length}", offset)
        inner = _field(name, element, offset)
        return Field(name, inner.dtype, offset, length)
    if issubclass(c_type, ctypes.Structure | ctypes.Union):
        return Field(name, "u1", offset, ctypes.sizeof(c_type))
    size = ctypes.sizeof(c_type)
    signed = c_type in (ctypes.c_int8, ctypes.c_int16, ctypes.c_int32, ctypes.c_int64, ctypes.c_longlong)
    return Field(name, _SCALARS[size].replace("u", "i") if signed else _SCALARS[size], offset)
