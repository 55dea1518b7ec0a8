"""Does an attach point exist here? Cheap look-ups that need no program; the load has the last word."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache

from ebpftop.kernel import btf, perf, tracefs
from ebpftop.kernel.libbpf import KernelLacks


def unsupported(mechanism: str) -> str | None:
    """Why nothing can be attached by this mechanism here, as far as a look tells; a trial tells more."""
    match mechanism:
        case "kprobe" | "kretprobe":
            return None if perf.dynamic_type("kprobe") is not None else "this kernel was built without kprobes"
        case "uprobe" | "uretprobe" | "usdt":
            return None if perf.dynamic_type("uprobe") is not None else "this kernel was built without uprobes"
    return None


def missing(mechanism: str, target: str, args: Sequence[str] = ()) -> str | None:
    """Why this attach point can't be had on this kernel, in one line; None where nothing speaks against it.

    What can't be told without root counts as present. `args` are the C types a raw tracepoint's prototype must begin
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
            return None  # the loader looks into the file
        case "perf_event":
            return None if target in perf.SOFTWARE_EVENTS else f"no software event is called {target}"
    raise ValueError(f"unknown mechanism {mechanism!r}")


def _raw_tracepoint(name: str, args: Sequence[str]) -> str | None:
    try:
        found = _prototype(name)
    except KernelLacks:
        return f"the prototype of {name} can't be checked, as there is no BTF" if args else None
    if found is None:
        return f"this kernel has no tracepoint {name}"
    if [_words(one) for one in found[: len(args)]] != [_words(one) for one in args]:
        return f"{name} has another prototype here: ({', '.join(found)})"
    return None


def _prototype(name: str) -> list[str] | None:
    found = btf.running().tracepoint_args(name)
    if found is None:
        for path in btf.modules_naming(f"btf_trace_{name}"):
            found = btf.Btf(path, base=btf.running()).tracepoint_args(name)
    return found


def _words(c_type: str) -> list[str]:
    """For comparing spellings: "unsigned long" is "long unsigned int", const and blanks don't matter."""
    words = [word for word in c_type.replace("*", " * ").split() if word != "const"]
    if {"long", "short"} & set(words) or "unsigned" in words:
        words = [word for word in words if word != "int"]
    base = sorted(word for word in words if word != "*")
    return base + ["*"] * words.count("*")


def _tracepoint(target: str) -> str | None:
    place = tracefs.find()
    if place is None:  # which root does for itself
        return "tracefs is not mounted" if os.geteuid() == 0 else None
    category, _, event = target.partition(":")
    try:
        there = (place / "events" / category / event / "id").exists()
    except PermissionError:
        return None
    return None if there else f"this kernel has no tracepoint {target}"


def _kprobe(function: str) -> str | None:
    try:
        if _has_function(function):
            return None
    except KernelLacks:
        pass  # without BTF the list of functions has to do
    names = traceable()
    if not names or function in names:
        return None
    clone = next((name for name in names if name.startswith(f"{function}.")), None)
    if clone:
        return f"the compiler left only a clone of {function} here, {clone}"
    return f"this kernel has no function {function} to trace: renamed or inlined"


def _fentry(function: str) -> str | None:
    try:
        there = _has_function(function)
    except KernelLacks as lack:
        return str(lack)
    return None if there else f"this kernel has no function {function} to trace: renamed or inlined"


def _has_function(name: str) -> bool:
    return btf.running().has_function(name) or bool(btf.modules_naming(name))


@cache
def traceable() -> tuple[str, ...]:
    """Functions the kernel's function tracer knows, a name as often as there are functions of it; empty for other users
    than root, or where there is no such tracer.

    /proc/kallsyms would do as well, but takes a quarter of a second to read.
    """
    place = tracefs.find()
    try:
        lines = (place / "available_filter_functions").read_text().splitlines() if place else []
    except OSError:
        return ()
    return tuple(line.partition(" ")[0] for line in lines)
