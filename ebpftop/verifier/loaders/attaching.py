"""A program that was verified and wasn't attached, by the error of the call."""

from __future__ import annotations

from ebpftop.verifier.loaders.said import Said
from ebpftop.verifier.rules.model import Fault, Kind, compiled

_FORM = r"""(?ix).*?(?:
      \b(?:fail\w*|error|couldn't|could\ not|cannot|can't|unable\ to)\b.{0,24}\b(?:auto-)?attach
    | \battach\w*\b.{0,80}?\b(?:fail\w*|error)\b | \battach\ \w+: | \blink\ create\b
    | \b(?:creat\w+|open\w*)\ (?:raw\ tracepoint|perf\ event|[ku]probe|trace\ event|tracefs\ event)\b
    | \bbpf_link_create\b | \bbpf_raw_tracepoint_open\b | \bperf_event_open\b
    )"""
_ABSENT = r"(?i)\b(?:may|does|do) not exist\b|\bdoesn't exist\b|\bnot found\b"
_OF_BPF = r"(?i)bpf|[ku]probe|[ku]retprobe|tracepoint|fentry|fexit"
_FIRST = "The verifier accepted the program; attaching it failed. "

_BY_ERRNO: dict[str, tuple[Kind, str, Fault]] = {
    "ENOTSUPP": (
        "unsupported",
        "This kernel or machine has no BPF trampoline, which fentry, fexit and LSM programs need (arm64 before Linux "
        "6.0, or a kernel without CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS). Use a kprobe or a tracepoint.",
        "kernel",
    ),
    "EBUSY": (
        "unsupported",
        "The kernel can't patch that function, or another program or live patch holds the place already. Detach the "
        "other, or use a kprobe.",
        "environment",
    ),
    "EEXIST": (
        "unsupported",
        "Something is attached there already, and the place takes one only. Detach it first, or replace it.",
        "environment",
    ),
    "ENOENT": (
        "unsupported",
        "What it is attached to doesn't exist here: a function or tracepoint of another name on this kernel, inlined, "
        "or of a module that isn't loaded; a binary without that symbol; or tracefs isn't mounted. Look for it in "
        "`/sys/kernel/tracing/available_filter_functions`.",
        "kernel",
    ),
    "EPERM": (
        "privilege",
        "The loader may not attach here: it lacks CAP_PERFMON or CAP_NET_ADMIN, perf_event_paranoid forbids it, or "
        "lockdown does. Attach as root.",
        "environment",
    ),
    "EINVAL": (
        "unsupported",
        "This kernel doesn't take a program of this type at this place: the attach type or a flag is newer than the "
        "kernel, the function can't be probed, or the place isn't one. Use another attach point, or a newer kernel.",
        "kernel",
    ),
    "ENODEV": (
        "unsupported",
        "There is no such device or event source on this machine. Check its name.",
        "environment",
    ),
    "EMFILE": (
        "other",
        "The loader ran out of file descriptors, each attachment being one. Raise RLIMIT_NOFILE.",
        "environment",
    ),
    "E2BIG": (
        "unsupported",
        "More programs are attached to this place than it takes. Detach some: one function takes 38 trampolines.",
        "environment",
    ),
}
_SAME = {"ESRCH": "ENOENT", "EOPNOTSUPP": "ENOTSUPP", "EACCES": "EPERM"}


_OTHER = Said(
    "unsupported",
    f"{_FIRST}What the loader says tells no more: look at the name of the place it attaches to, and at the kernel's "
    "own messages (dmesg).",
)


def recognise(line: str, errno: str) -> Said | None:
    """What a line means that tells of a program not attached."""
    if not compiled(_FORM).match(line):
        return None
    if not errno and compiled(_ABSENT).search(line):
        errno = "ENOENT"
    found = _BY_ERRNO.get(_SAME.get(errno, errno))
    if found is None:
        return _OTHER if errno or compiled(_OF_BPF).search(line) else None
    kind, words, fault = found
    return Said(kind, _FIRST + words, fault=fault)
