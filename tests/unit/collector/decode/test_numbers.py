"""Numbers with names of their own, each decoder with one that has a name and one that has none."""

from collections.abc import Callable

import pytest

from ebpftop.collector.decode import (
    block_op,
    capability,
    compact_result,
    errno,
    kernel_lock,
    signal,
    softirq,
    tcp_state,
    user,
    writeback_reason,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (block_op.name, {0: "read", 1: "write", 2: "flush", 9: "write zeroes", 4: "4"}),
        (capability.name, {0: "CAP_CHOWN", 21: "CAP_SYS_ADMIN", 40: "CAP_CHECKPOINT_RESTORE", 41: "41", -1: "-1"}),
        (compact_result.name, {0: "not_suitable_zone", 5: "complete", 8: "success", 9: "9", -1: "-1"}),
        (errno.name, {0: "", 2: "ENOENT", -2: "ENOENT", -512: "ERESTARTSYS", 95: "EOPNOTSUPP", -4000: "-4000"}),
        (
            kernel_lock.name,
            {0: "mutex", 33: "mutex", 1: "spinlock", 2: "rwsem:R", 5: "rwlock:W", 20: "pcpu-sem:W", 64: "64"},
        ),
        (signal.name, {9: "SIGKILL", 34: "SIGRTMIN", 37: "SIGRTMIN+3", 64: "SIGRTMAX", 0: "", 65: "65", -1: "-1"}),
        (softirq.name, {0: "HI", 3: "NET_RX", 9: "RCU", 10: "10", -1: "-1"}),
        (tcp_state.name, {1: "ESTABLISHED", 10: "LISTEN", 13: "BOUND_INACTIVE", 0: "0", 14: "14"}),
        (user.name, {0: "root", 4294967294: "4294967294"}),
        (writeback_reason.name, {0: "background", 2: "sync", 7: "foreign_flush", 8: "8", -1: "-1"}),
    ],
)
def test_names(name: Callable[[int], str], expected: dict[int, str]) -> None:
    assert {number: name(number) for number in expected} == expected
