"""The verifier's short names and numbers in words: the values of a register (reg_type_str in kernel/bpf/log.c), and
types of maps (enum bpf_map_type in include/uapi/linux/bpf.h).
"""

from __future__ import annotations

import re

from ebpftop.base import map_types

# Base types; `inv` is 5.15's name for a scalar.
_BASES = {
    "?": "nothing yet",
    "scalar": "a plain number",
    "inv": "a plain number",
    "ctx": "the context",
    "map_ptr": "a map",
    "map_value": "a pointer to a map's value",
    "map_key": "a pointer to a map's key",
    "fp": "a pointer to the stack",
    "pkt": "a pointer into the packet",
    "pkt_meta": "a pointer to the packet's metadata",
    "pkt_end": "the packet's end",
    "flow_keys": "a pointer to flow keys",
    "sock": "a pointer to a socket",
    "sock_common": "a pointer to a socket",
    "tcp_sock": "a pointer to a TCP socket",
    "xdp_sock": "a pointer to an XDP socket",
    "tp_buffer": "a tracepoint's buffer",
    "ptr": "a pointer to a kernel object",
    "mem": "a pointer to memory",
    "alloc_mem": "a pointer to reserved memory",
    "buf": "a pointer to a buffer",
    "rdonly_buf": "a pointer to a read-only buffer",
    "rdwr_buf": "a pointer to a buffer",
    "arena": "a pointer into an arena",
    "func": "a function",
    "insn": "the address of an instruction",
    "dynptr_ptr": "a dynptr",
}
_FLAGS = {
    "rdonly_": "read-only",
    "ringbuf_": "in a ring buffer",
    "user_": "in a process's memory",
    "percpu_": "one for each CPU",
    "rcu_": "protected by RCU",
    "untrusted_": "not trusted",
    "trusted_": "trusted",
}
_FLAGGED = re.compile("|".join(_FLAGS))


def phrase(name: str) -> str:
    """`rdonly_mem` as "a pointer to memory (read-only)"; an unknown name stays as it is, in quotes."""
    flags: list[str] = []
    rest = name
    while rest not in _BASES and (flag := _FLAGGED.match(rest)):
        flags.append(_FLAGS[flag[0]])
        rest = rest[flag.end() :]
    rest = rest.rstrip("_")
    base = _BASES.get(rest) or _BASES.get(rest.partition("_")[0] if rest.startswith("ptr_") else "")
    if base is None:
        return f"`{name}`"
    return f"{base} ({', '.join(flags)})" if flags else base


def any_of(names: str) -> str:
    """A list of such names, as after `expected=`, with each phrase once."""
    return " or ".join(dict.fromkeys(phrase(name) for name in names.rstrip(", ").split(", ")))


def map_type(number: str) -> str:
    """The name of a map type, given its number."""
    return map_types.name(int(number))
