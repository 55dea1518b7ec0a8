"""Recognises failed attachments of verified programs, by the error of the call."""

from __future__ import annotations

from ebpftop.verifier.loaders.meaning import Meaning
from ebpftop.verifier.rules.model import Fault, Kind, compiled

_FORM = r"""(?ix).*?(?:
      \b(?:fail\w*|error|couldn't|could\ not|cannot|can't|unable\ to)\b.{0,24}\b(?:auto-)?attach
    | \battach\w*\b.{0,80}?\b(?:fail\w*|error)\b | \battach\ \w+: | \blink\ create\b
    | \b(?:creat\w+|open\w*)\ (?:raw\ tracepoint|perf\ event|[ku]probe|trace\ event|tracefs\ event)\b
    | \bbpf_link_create\b | \bbpf_raw_tracepoint_open\b | \bperf_event_open\b
    )"""
_ABSENT = r"(?i)\b(?:may|does|do) not exist\b|\bdoesn't exist\b|\bnot found\b"
# Debuggers, containers and disks are attached too: a line is about BPF only if it contains a term of BPF.
_OF_BPF = r"""(?ix)bpf | [ku](?:ret)?probe | tracepoint | \b(?:fentry|fexit|fmod_ret|kfunc|usdt|lsm|iter|struct_ops)\b
    | \b(?:xdp|tcx?|clsact|qdisc|netkit|sockops|sock_?map|sk_\w+|flow_dissector)\b | \bcgroup[/_](?:skb|sock\w*|dev)
    | perf[ _]event | trace[ _]?(?:event|fs) | \bprog(?:ram)?s?\b | \blink\ create\b | \bcreate\ link\b"""
_FIRST = "The verifier accepted the program; attaching it failed. "

_BY_ERRNO: dict[str, tuple[Kind, str, Fault]] = {
    "ENOTSUPP": (
        "unsupported",
        "This kernel or machine has no BPF trampoline, which fentry, fexit and LSM programs need (arm64 before Linux "
        "6.4, or a kernel without CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS). Use a kprobe or a tracepoint.",
        "kernel",
    ),
    "EBUSY": (
        "unsupported",
        "The kernel can't patch that function, or another program or live patch is already attached there. Detach it, "
        "or use a kprobe.",
        "environment",
    ),
    "EEXIST": (
        "unsupported",
        "Something is attached there already, and the attach point takes only one program. Detach it first, or "
        "replace it.",
        "environment",
    ),
    "ENOENT": (
        "unsupported",
        "The attach point doesn't exist here: a function or tracepoint that has another name on this kernel, is "
        "inlined, or belongs to a module that isn't loaded; a binary without that symbol; or tracefs isn't mounted. "
        "Look for it in `/sys/kernel/tracing/available_filter_functions`.",
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
        "This kernel doesn't accept a program of this type at this attach point: the attach type or a flag is newer "
        "than the kernel, the function can't be probed, or there is no such point. Use another attach point, or a "
        "newer kernel.",
        "kernel",
    ),
    "ENODEV": (
        "unsupported",
        "There is no such device or event source on this machine. Check its name.",
        "environment",
    ),
    "EMFILE": (
        "other",
        "The loader ran out of file descriptors: each attachment takes one. Raise RLIMIT_NOFILE.",
        "environment",
    ),
    "E2BIG": (
        "unsupported",
        "Too many programs are attached at this point. Detach some: a function takes at most 38 trampolines.",
        "environment",
    ),
}
_SAME = {"ESRCH": "ENOENT", "EOPNOTSUPP": "ENOTSUPP", "EACCES": "EPERM"}


_OTHER = Meaning(
    "unsupported",
    f"{_FIRST}The loader's message gives no reason: check the name of the attach point, and the kernel's own messages "
    "(dmesg).",
)


def recognise(line: str, errno: str) -> Meaning | None:
    """The meaning of a line about a failed attachment; None if it isn't one."""
    if not compiled(_FORM).match(line):
        return None
    if not errno and compiled(_ABSENT).search(line):
        errno = "ENOENT"
    found = _BY_ERRNO.get(_SAME.get(errno, errno))
    if errno != "ENOTSUPP" and not compiled(_OF_BPF).search(line):  # an error that nearly only BPF returns
        return None
    if found is None:
        return _OTHER
    kind, words, fault = found
    return Meaning(kind, _FIRST + words, fault=fault)
