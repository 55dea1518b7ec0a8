"""BPF map types by number: enum bpf_map_type in uapi/linux/bpf.h."""

from __future__ import annotations

NAMES = [
    "none",
    "hash",
    "array",
    "prog_array",
    "perf_event_array",
    "percpu_hash",
    "percpu_array",
    "stack_trace",
    "cgroup_array",
    "lru_hash",
    "lru_percpu_hash",
    "lpm_trie",
    "array_of_maps",
    "hash_of_maps",
    "devmap",
    "sockmap",
    "cpumap",
    "xskmap",
    "sockhash",
    "cgroup_storage",
    "reuseport_sockarray",
    "percpu_cgroup_storage",
    "queue",
    "stack",
    "sk_storage",
    "devmap_hash",
    "struct_ops",
    "ringbuf",
    "inode_storage",
    "task_storage",
    "bloom_filter",
    "user_ringbuf",
    "cgrp_storage",
    "arena",
    "insn_array",
]

STACK_TRACE, RINGBUF = NAMES.index("stack_trace"), NAMES.index("ringbuf")
KEYLESS = {NAMES.index(name) for name in ("queue", "stack")}
PER_CPU = {NAMES.index(name) for name in ("percpu_hash", "percpu_array", "lru_percpu_hash")}


def name(number: int) -> str:
    """The name of a type, such as "hash" for 1 (BPF_MAP_TYPE_HASH); for an unknown type, the number."""
    return NAMES[number] if 0 <= number < len(NAMES) else str(number)
