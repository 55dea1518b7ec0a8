"""Threads of the shop that wait, for the pictures of `W`: made up, as the demo was recorded without looking at them."""

from __future__ import annotations

from ebpftop.base.syscalls import NUMBERS
from ebpftop.frames.messages import OpenWait, ThreadPlace, Threads

_S = 1_000_000_000
_STACKS = [
    ["__percpu_down_read", "mnt_want_write", "open_last_lookups", "path_openat", "do_sys_openat2"],
    ["futex_do_wait", "__futex_wait", "futex_wait", "do_futex", "__x64_sys_futex"],
    ["ep_poll", "do_epoll_wait", "__x64_sys_epoll_wait"],
    ["pipe_read", "vfs_read", "ksys_read"],
    ["__skb_wait_for_more_packets", "unix_stream_read_generic", "sock_recvmsg"],
]


def threads(monotonic_ns: int, boottime_ns: int) -> Threads:
    """As read at a moment: a frozen file system, a lock that its holder keeps, and what is idle."""
    places = [
        *_some(4200, "journal", 3, "D", "openat", "/srv/journal", 0),
        *_some(4310, "checkout", 12, "S", "futex", "", 1, 0x7F3A5C0010),
        _one(4310, 4330, "checkout", "payments", "S", "clock_nanosleep", "", None),
        *_some(4400, "visitors", 8, "S", "recvfrom", "tcp 127.0.0.1:40312 → 127.0.0.1:8080", 4),
        *_some(4500, "thumbnails", 6, "R", "", "", None),
        *_some(4600, "backup", 2, "S", "read", "pipe:[88214]", 3),
        *_some(4700, "web", 4, "S", "epoll_wait", "anon_inode:[eventpoll]", 2),
        *(_one(2, 20 + at, "kthreadd", f"kworker/{at}", "I", "", "", None, kernel=True) for at in range(40)),
    ]
    waits = [
        OpenWait(tid=each.tid, since_ns=monotonic_ns - 73 * _S + at * _S // 3, holder=4330)
        for at, each in enumerate(each for each in places if each.call == NUMBERS["futex"])
    ]
    return Threads(
        monotonic_ns=monotonic_ns,
        boottime_ns=boottime_ns,
        threads=places,
        stacks=_STACKS,
        count=len(places),
        waits=waits,
    )


def _some(
    tgid: int, name: str, count: int, state: str, call: str, target: str, stack: int | None, argument: int = 5
) -> list[ThreadPlace]:
    return [_one(tgid, tgid + at, name, name, state, call, target, stack, argument=argument) for at in range(count)]


def _one(
    tgid: int,
    tid: int,
    process: str,
    name: str,
    state: str,
    call: str,
    target: str,
    stack: int | None,
    *,
    argument: int = 5,
    kernel: bool = False,
) -> ThreadPlace:
    return ThreadPlace(
        tid=tid,
        tgid=tgid,
        start_ns=_S,
        comm=name,
        process=process,
        state=state,
        cpu_ns=0,
        switches=3,
        waits="" if stack is None else _STACKS[stack][0],
        stack=stack,
        call=NUMBERS[call] if call else None,
        arguments=[argument, 128, 2, 0, 0, 0] if call else [],
        target=target,
        kernel=kernel,
    )
