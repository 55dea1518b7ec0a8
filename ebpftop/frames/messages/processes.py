"""Processes, by the numbers in rows."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ebpftop.frames.messages.base import MANY, Frame, Text, Whole

FOLDED = 0  # the identity into which rows of processes that ended long ago are added up, while their own rows leave
UNKNOWN = (1 << 32) - 1  # the identity of a process that the kernel did not report; never described by a `Process`


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One identity (tgid, start). Text is hostile. `ended_ns` is boottime; None while it lives. own: it is ours.

    cgroup: the path that says most of it. container, pod, image: how the container's runtime calls what that path leads
    to, "" where it doesn't or nobody knows (any more); a pod with its namespace, `shop/cart-0`. nspid: its pid in
    its own pid namespace, 0 where that is no other one.
    """

    id: Whole
    tgid: Whole
    start_ns: Whole
    ppid: Whole = 0
    parent: Text = ""
    comm: Text = ""
    command: Text = ""
    user: Text = ""
    cgroup: Text = ""
    container: Text = ""
    pod: Text = ""
    image: Text = ""
    ended_ns: Whole | None = None
    own: bool = False
    nspid: Whole = 0


class Processes(Frame, frozen=True, kw_only=True):
    """New or changed identities; `process` columns hold their `id`."""

    processes: Annotated[list[Process], MANY]
