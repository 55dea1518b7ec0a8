"""One real trial per mechanism: loads, attaches and detaches a program of two instructions. Nothing remains.

A kernel's configuration and version don't show what works: fentry may be refused although BTF exists. Numbers of
program, map and attach types: linux/bpf.h.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from ebpftop.base.map_types import RINGBUF
from ebpftop.kernel import btf, capabilities, libbpf, perf, tracefs
from ebpftop.kernel.libbpf import KernelLacks, checked, library

_KPROBE, _TRACEPOINT, _PERF_EVENT, _RAW_TRACEPOINT, _TRACING = 2, 5, 7, 17, 26
_FENTRY = 24
_RETURN_0 = bytes.fromhex("b700000000000000 9500000000000000")  # r0 = 0; exit
_EVENTS = ("sched/sched_process_exit", "sched/sched_switch", "raw_syscalls/sys_enter")
_FUNCTIONS = ("vfs_read", "do_nanosleep", "do_sys_openat2", "vfs_write")

_AS_ROOT = "run as root: sudo ebpftop doctor"
_READING = f"{_AS_ROOT}, or with CAP_DAC_READ_SEARCH"
_MOUNT = "run as root, so that ebpftop mounts it, or mount it: mount -t tracefs tracefs /sys/kernel/tracing"
_REFUSED = (
    "allow bpf and perf_event_open here (CAP_BPF, CAP_PERFMON, no seccomp filter, no lockdown), or run on the host"
)


class Outcome(NamedTuple):
    """A trial's result. `detail` says what was done or why it failed; `remedy` is empty if none is needed."""

    ok: bool
    detail: str
    remedy: str = ""


class _LoadOptions(ctypes.Structure):
    """struct bpf_prog_load_opts of libbpf 1.0 up to attach_btf_id."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("attempts", ctypes.c_int),
        ("expected_attach_type", ctypes.c_int),
        ("prog_btf_fd", ctypes.c_uint32),
        ("prog_flags", ctypes.c_uint32),
        ("prog_ifindex", ctypes.c_uint32),
        ("kern_version", ctypes.c_uint32),
        ("attach_btf_id", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
    )


def trial(mechanism: str, held: ExitStack | None = None) -> Outcome:
    """Try a mechanism, by its name in manifests (return probes like entry probes), "ring_buffer" or "statistics".

    held: keeps the attachment until it is closed, or until no more files may be open. Detaching a tracepoint or a
    uprobe waits for a grace period of the kernel, a tenth of a second.
    """
    mechanism = SAME_AS.get(mechanism, mechanism)
    try:
        with ExitStack() as own:
            outcome = Outcome(True, _TRIALS[mechanism](own))
            if held is not None:
                held.push(own.pop_all())
            return outcome
    except KernelLacks as lack:
        return Outcome(False, str(lack), lack.remedy)
    except OSError as error:
        if held is not None and error.errno == errno.EMFILE:
            held.close()
            return trial(mechanism)
        name = mechanism.replace("_", " ")
        return Outcome(False, f"{name} does not work here: {error.strerror}", _remedy(mechanism, error.errno or 0))


def _remedy(mechanism: str, number: int) -> str:
    if os.geteuid() != 0 and not capabilities.may_trace():
        return _AS_ROOT
    if mechanism == "fentry":  # EPERM may also mean that the kernel doesn't support it
        return "use a distribution's own kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS, and leave ftrace enabled"
    if number in (errno.EPERM, errno.EACCES, errno.ENOSYS):
        return _REFUSED
    return "use a distribution's own kernel of 6.1 or newer"


@contextmanager
def empty_program() -> Iterator[int]:
    """An empty program for kprobes and uprobes. Raises `OSError`."""
    with ExitStack() as held:
        yield _load(held, _KPROBE)


def _load(held: ExitStack, kind: int, attach_type: int = 0, function: int = 0) -> int:
    options = _LoadOptions(sz=ctypes.sizeof(_LoadOptions), expected_attach_type=attach_type, attach_btf_id=function)
    program = library().bpf_prog_load(
        kind, b"ebpftop_trial", b"GPL", _RETURN_0, len(_RETURN_0) // 8, ctypes.byref(options)
    )
    held.callback(os.close, checked(program, "loading a program"))
    return int(program)


def _attach(held: ExitStack, program: int, event: int) -> None:
    held.callback(os.close, event)
    perf.attach(event, program)


def _tracepoint(held: ExitStack) -> str:
    place = tracefs.find()
    if place is None:
        raise KernelLacks("tracefs is not mounted", _MOUNT)
    try:
        event = next((name for name in _EVENTS if (place / "events" / name / "id").exists()), None)
    except PermissionError:
        raise KernelLacks(f"this user can't read {place}", _READING) from None
    if event is None:
        raise KernelLacks("tracefs has none of the usual tracepoints", "use a kernel with CONFIG_FTRACE")
    number = int((place / "events" / event / "id").read_text())
    _attach(held, _load(held, _TRACEPOINT), perf.open_event(perf.TYPE_TRACEPOINT, number, cpu=_cpu()))
    return f"attached to {event.replace('/', ':')}"


def _raw_tracepoint(held: ExitStack) -> str:
    program = _load(held, _RAW_TRACEPOINT)
    link = library().bpf_raw_tracepoint_open(b"sched_switch", program)
    held.callback(os.close, checked(link, "attaching to a raw tracepoint"))
    return "attached to sched_switch"


def _kprobe(held: ExitStack) -> str:
    kind = perf.dynamic_type("kprobe")
    if kind is None:
        raise KernelLacks(
            "this kernel was built without kprobes", "use a kernel with CONFIG_KPROBES and CONFIG_KPROBE_EVENTS"
        )
    _attach(held, _load(held, _KPROBE), perf.open_event(kind, 0, name=_FUNCTIONS[0].encode(), cpu=_cpu()))
    return f"attached to {_FUNCTIONS[0]}"


def _fentry(held: ExitStack) -> str:
    types = btf.running()
    function = next((name for name in _FUNCTIONS if types.has_function(name)), None)
    if function is None:
        raise KernelLacks("BTF has none of the usual functions", "use a distribution's own kernel of 6.1 or newer")
    program = _load(held, _TRACING, _FENTRY, types.find("func", function) or 0)
    link = library().bpf_raw_tracepoint_open(None, program)
    held.callback(os.close, checked(link, "attaching an fentry program"))
    return f"attached to {function}"


def _uprobe(held: ExitStack) -> str:
    kind = perf.dynamic_type("uprobe")
    if kind is None:
        raise KernelLacks("this kernel was built without uprobes", "use a kernel with CONFIG_UPROBE_EVENTS")
    file, offset, name = place_of_getpid()
    program = _load(held, _KPROBE)
    _attach(held, program, perf.open_event(kind, 0, name=file, offset=offset, pid=os.getpid(), cpu=-1))
    return f"attached to getpid in {name}"


def place_of_getpid() -> tuple[bytes, int, str]:
    """File, offset and file name of libc's getpid, from its address in this process's memory.

    The file is given by its /proc link, because its name may be from another mount namespace; by its name for users who
    may not follow the link.
    """
    address = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value or 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, offset, _, _, *name = line.split(None, 5)
        start, end = (int(part, 16) for part in span.split("-"))
        if start <= address < end and name:
            link = f"/proc/self/map_files/{start:x}-{end:x}"
            file = link if os.path.exists(link) else name[0]
            return file.encode(), address - start + int(offset, 16), name[0]
    raise KernelLacks("libc is not mapped from a file", "use a dynamically linked Python")


def _sampling(held: ExitStack) -> str:
    program = _load(held, _PERF_EVENT)
    clock = perf.SOFTWARE_EVENTS["cpu-clock"]
    _attach(held, program, perf.open_event(perf.TYPE_SOFTWARE, clock, frequency=99, cpu=_cpu()))
    return "sampled cpu-clock at 99 Hz"


def _ring_buffer(held: ExitStack) -> str:
    ring = library().bpf_map_create(RINGBUF, b"ebpftop_trial", 0, 0, mmap.PAGESIZE, None)
    held.callback(os.close, checked(ring, "creating a ring buffer"))
    consumer = mmap.mmap(ring, mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    held.callback(consumer.close)
    producer = mmap.mmap(ring, 3 * mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ, offset=mmap.PAGESIZE)
    held.callback(producer.close)
    return "created and mapped"


def _statistics(held: ExitStack) -> str:
    held.callback(os.close, libbpf.enable_stats())
    return "enabled and disabled"


def _cpu() -> int:
    return min(os.sched_getaffinity(0))


SAME_AS = {"kretprobe": "kprobe", "fexit": "fentry", "uretprobe": "uprobe", "usdt": "uprobe"}
_TRIALS: dict[str, Callable[[ExitStack], str]] = {
    "tracepoint": _tracepoint,
    "raw_tracepoint": _raw_tracepoint,
    "kprobe": _kprobe,
    "fentry": _fentry,
    "uprobe": _uprobe,
    "perf_event": _sampling,
    "ring_buffer": _ring_buffer,
    "statistics": _statistics,
}
MECHANISMS = tuple(_TRIALS)
