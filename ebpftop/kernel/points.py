"""Checks whether an attach point exists on this kernel: cheap lookups without a program. Only a load gives
certainty.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache

from ebpftop.kernel import btf, capabilities, perf, tracefs
from ebpftop.kernel.libbpf import KernelLacks


def unsupported(mechanism: str) -> str | None:
    """Why this mechanism is unsupported, if a lookup shows that; a trial is more thorough."""
    match mechanism:
        case "kprobe" | "kretprobe":
            return None if perf.dynamic_type("kprobe") is not None else "this kernel was built without kprobes"
        case "uprobe" | "uretprobe" | "usdt":
            return None if perf.dynamic_type("uprobe") is not None else "this kernel was built without uprobes"
    return None


def missing(mechanism: str, target: str, args: Sequence[str] = ()) -> str | None:
    """Why this attach point is unavailable on this kernel, in one line; None if there is no known obstacle.

    What only root can check counts as available. `args`: the C types that a raw tracepoint's prototype must begin
    with.
    """
    if reason := unsupported(mechanism):
        return reason
    match mechanism:
        case "raw_tracepoint":
            return _raw_tracepoint(target, args)
        case "tracepoint":
            return _tracepoint(target)
        case "kprobe" | "kretprobe":
            return _kprobe(target)
        case "fentry" | "fexit":
            return _fentry(target)
        case "uprobe" | "uretprobe" | "usdt":
            return None  # the loader checks the file
        case "perf_event":
            return None if target in perf.SOFTWARE_EVENTS else f"perf has no software event {target}"
    raise ValueError(f"unknown mechanism {mechanism!r}")


def _raw_tracepoint(name: str, args: Sequence[str]) -> str | None:
    try:
        found = _prototype(name)
    except KernelLacks as lack:
        return f"can't check the prototype of {name}: {lack}" if args else None
    if found is None:
        return f"this kernel has no tracepoint {name}"
    if [_words(one) for one in found[: len(args)]] != [_words(one) for one in args]:
        return f"{name} has a different prototype here: ({', '.join(found)})"
    return None


@cache  # many probes attach to the same few
def _prototype(name: str) -> list[str] | None:
    found = btf.running().tracepoint_args(name)
    if found is None:
        for path in btf.modules_naming(f"btf_trace_{name}"):
            found = btf.Btf(path, base=btf.running()).tracepoint_args(name)
    return found


def _words(c_type: str) -> list[str]:
    """A normal form of a type: "unsigned long" equals "long unsigned int", const and blanks don't matter."""
    words = [word for word in c_type.replace("*", " * ").split() if word != "const"]
    if {"long", "short"} & set(words) or "unsigned" in words:
        words = [word for word in words if word != "int"]
    base = sorted(word for word in words if word != "*")
    return base + ["*"] * words.count("*")


def _tracepoint(target: str) -> str | None:
    place = tracefs.find()
    if place is None:  # root mounts it privately
        return "tracefs is not mounted" if capabilities.may_trace() else None
    category, _, event = target.partition(":")
    try:
        os.stat(f"{place}/events/{category}/{event}/id")
    except (FileNotFoundError, NotADirectoryError):
        return f"this kernel has no tracepoint {target}"
    except PermissionError:
        pass
    return None


def _kprobe(function: str) -> str | None:
    try:
        if _has_function(function):
            return None
    except KernelLacks:
        pass  # without BTF, rely on the list of functions
    names = traceable()
    if not names or function in names:
        return None
    clone = next((name for name in names if name.startswith(f"{function}.")), None)
    if clone:
        return f"this kernel has {function} only as the compiler's clone {clone}"
    return f"this kernel has no traceable function {function}: renamed or inlined"


def _fentry(function: str) -> str | None:
    try:
        there = _has_function(function)
    except KernelLacks as lack:
        return str(lack)
    return None if there else f"this kernel has no traceable function {function}: renamed or inlined"


def _has_function(name: str) -> bool:
    return btf.running().has_function(name) or bool(btf.modules_naming(name))


@cache
def traceable() -> tuple[str, ...]:
    """The kernel's ftrace functions; a name is repeated if several functions share it. Empty for users other than root,
    or without ftrace.

    /proc/kallsyms would also work, but takes a quarter of a second to read.
    """
    place = tracefs.find()
    try:
        lines = (place / "available_filter_functions").read_text().splitlines() if place else []
    except OSError:
        return ()
    return tuple(line.partition(" ")[0] for line in lines)
