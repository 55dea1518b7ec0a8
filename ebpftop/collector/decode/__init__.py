"""Decoders for raw fields of maps and events, by the names that a manifest uses. Each is a module of its own.

A decoder takes one field of many rows and returns a column. Each distinct value is decoded once; a value without a name
stays a number. Labels are hostile text.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from ebpftop.collector.decode import (
    address,
    block_op,
    block_status,
    bpf,
    capability,
    dns,
    errno,
    file_operation,
    icmp,
    ip_protocol,
    kernel_lock,
    namespaces,
    ptrace,
    signal,
    softirq,
    syscall,
    tcp_flags,
    tcp_state,
    text,
    time,
    user,
)
from ebpftop.collector.decode.cgroup import Cgroups
from ebpftop.collector.decode.device import Devices
from ebpftop.collector.decode.kernel_enum import KernelEnum
from ebpftop.frames.columns import Array, labelled, pack
from ebpftop.frames.messages import Column

_HIERARCHY = 56  # where its number begins in the id of a control group
_GROUP = (1 << _HIERARCHY) - 1

Decoder = Callable[[Array], Column]


class Context:
    """State of this machine that decoders share."""

    def __init__(self) -> None:
        self.cgroups = Cgroups()
        self._devices = Devices()
        self._names: dict[str, Callable[[int], str]] = {
            "block_op": block_op.name,
            "block_status": block_status.name,
            "bpf_command": KernelEnum("bpf_cmd", "BPF_").name,
            "bpf_type": bpf.kind,
            "capability": capability.name,
            "cgroup": lambda number: self.cgroup_path(number) or str(number & _GROUP),
            "compact_result": KernelEnum("compact_result", "COMPACT_").name,
            "device": self._devices.name,
            "dns_code": dns.code,
            "drop_reason": KernelEnum("skb_drop_reason", "SKB_DROP_REASON_", {0xFFFFFFFF: "TCP_LISTEN_OVERFLOW"}).name,
            "errno": errno.name,
            "file_operation": file_operation.name,
            "hex": hex,
            "icmp": icmp.name,
            "io_uring_op": KernelEnum("io_uring_op", "IORING_OP_").name,
            "ip_protocol": ip_protocol.name,
            "kernel_lock": kernel_lock.name,
            "namespaces": namespaces.names,
            "octal": "{:o}".format,
            "point": str,
            "port": str,
            "ptrace_request": ptrace.request,
            "reset_reason": KernelEnum("sk_rst_reason", "SK_RST_REASON_").name,
            "signal": signal.name,
            "signal_origin": signal.origin,
            "signal_result": signal.result,
            "softirq": softirq.name,
            "syscall": syscall.name,
            "tcp_flags": tcp_flags.name,
            "tcp_state": tcp_state.name,
            "user": user.name,
            "writeback_reason": KernelEnum("wb_reason", "WB_REASON_").name,
        }

    def of_run(self, points: list[str]) -> Context:
        """The same, with the names of one run's attachments."""
        one = copy.copy(self)
        one._names = {**self._names, "point": lambda number: points[number] if number < len(points) else str(number)}
        return one

    def cgroup_path(self, number: int) -> str:
        """Path below its hierarchy: "/" for its root, "" if it is unknown. Version 2 has the number 0."""
        return self.cgroups.path(number & _GROUP, number >> _HIERARCHY)

    def namer(self, decode: str) -> Callable[[int], str]:
        """The label of one number. Raises KeyError."""
        return self._names[decode]


_OF_ARRAYS: dict[str, Decoder] = {
    "address": address.decode,
    "comm": text.decode,
    "dns_question": dns.decode,
    "string": text.decode,
    "thread": lambda values: pack({"": values})[""],
    "time": time.decode,
}


def decoder(name: str, context: Context) -> Decoder:
    """The decoder of this name. Raises KeyError for an unknown one; the decoder raises ValueError
    for unsuitable input.
    """
    return _OF_ARRAYS.get(name) or _by_number(name, context.namer(name))


def _by_number(decode: str, label: Callable[[int], str]) -> Decoder:
    def decoded(values: Array) -> Column:
        if values.dtype.kind not in "iu" or values.ndim != 1:
            raise ValueError(
                f"decode = {decode!r} takes whole numbers, not {values.dtype}{list(values.shape[1:]) or ''}"
            )
        return labelled(values, label)

    return decoded
