"""Numbers with names of their own, each decoder with one that has a name and one that has none."""

from collections.abc import Callable

import pytest

from ebpftop.collector.decode import (
    block_op,
    block_status,
    bpf,
    capability,
    errno,
    file_operation,
    icmp,
    ip_protocol,
    kernel_lock,
    namespaces,
    ptrace,
    signal,
    softirq,
    tcp_flags,
    tcp_state,
    user,
)
from ebpftop.collector.decode.kernel_enum import KernelEnum

ICMP = {
    4 << 16 | 3 << 8 | 3: "destination unreachable: port",
    4 << 16 | 3 << 8 | 200: "destination unreachable: 200",
    4 << 16 | 8 << 8: "echo request",
    6 << 16 | 128 << 8: "echo request",
    6 << 16 | 1 << 8 | 4: "destination unreachable: port",
    4 << 16 | 250 << 8 | 1: "type 250: 1",
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (block_op.name, {0: "read", 1: "write", 2: "flush", 9: "write zeroes", 4: "4"}),
        (block_status.name, {0: "", 10: "IOERR", 13: "13"}),
        (capability.name, {0: "CAP_CHOWN", 21: "CAP_SYS_ADMIN", 40: "CAP_CHECKPOINT_RESTORE", 41: "41", -1: "-1"}),
        (errno.name, {0: "", 2: "ENOENT", -2: "ENOENT", -512: "ERESTARTSYS", 95: "EOPNOTSUPP", -4000: "-4000"}),
        (file_operation.name, {0: "read", 3: "sync", 4: "4", -1: "-1"}),
        (
            kernel_lock.name,
            {0: "mutex", 33: "mutex", 1: "spinlock", 2: "rwsem:R", 5: "rwlock:W", 20: "pcpu-sem:W", 64: "64"},
        ),
        (signal.name, {9: "SIGKILL", 34: "SIGRTMIN", 37: "SIGRTMIN+3", 64: "SIGRTMAX", 0: "", 65: "65", -1: "-1"}),
        (signal.origin, {0: "kill", -6: "tkill", 0x80: "kernel", 1: "kernel", -60: "-60"}),
        (signal.result, {0: "", 1: "ignored", 2: "already pending", 5: "5", -1: "-1"}),
        (
            bpf.kind,
            {0: "", 0x10002: "ARRAY", 0x1001B: "RINGBUF", 0x20002: "KPROBE", 0x2001A: "TRACING", 0x100FF: "255"},
        ),
        (
            ptrace.request,
            {0: "TRACEME", 16: "ATTACH", 17: "DETACH", 0x4206: "SEIZE", 0x10000: "process_vm_readv", 99: "0x63"},
        ),
        (namespaces.names, {0: "", 0x20000: "mnt", 0x50000000: "user,net", 0x20100: "mnt,0x100"}),
        (softirq.name, {0: "HI", 3: "NET_RX", 9: "RCU", 10: "10", -1: "-1"}),
        (tcp_state.name, {1: "ESTABLISHED", 10: "LISTEN", 13: "BOUND_INACTIVE", 0: "", 14: "14"}),
        (tcp_flags.name, {2: "SYN", 18: "SYN ACK", 0: "", 255: "FIN SYN RST PSH ACK URG ECE CWR"}),
        (ip_protocol.name, {6: "TCP", 17: "UDP", 262: "MPTCP", 254: "254"}),
        (icmp.name, ICMP),
        (KernelEnum("no_such_enum", "").name, {3: "3", -1: ""}),
        (KernelEnum("tcp_ca_state", "TCP_CA_").name, {0: "Open", 4: "Loss", 99: "99"}),
        (KernelEnum("tcp_ca_state", "TCP_CA_", {99: "Ours"}).name, {0: "Open", 99: "Ours"}),
        (KernelEnum("no_such_enum", "", {3: "Ours"}).name, {3: "Ours", 4: "4"}),
        (user.name, {0: "root", 4294967294: "4294967294"}),
    ],
)
def test_names(name: Callable[[int], str], expected: dict[int, str]) -> None:
    assert {number: name(number) for number in expected} == expected
