"""Types of BPF programs and maps, from two lists of numbers: the bits above the lower 16 choose the list."""

from __future__ import annotations

from ebpftop.collector.decode.kernel_enum import KernelEnum

_LISTS = {1: KernelEnum("bpf_map_type", "BPF_MAP_TYPE_"), 2: KernelEnum("bpf_prog_type", "BPF_PROG_TYPE_")}


def kind(number: int) -> str:
    """`RINGBUF`, `KPROBE`, "" for 0, else the type's number."""
    types, low = _LISTS.get(number >> 16), number & 0xFFFF
    if types is not None:
        return types.name(low)
    return str(low) if number else ""
