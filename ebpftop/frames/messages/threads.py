"""Where every thread of the machine is."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ebpftop.frames.messages.base import MANY, SOME, Frame, Text, Whole


class ThreadPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A thread, and where it is. Text is hostile.

    start_ns: boottime, of the thread. state: the kernel's letter. process: the name of its process. switches: how often
    it has left a CPU; None where that wasn't read. waits: the kernel's function in which it waits, or "". stack: a
    number in `Threads.stacks`, None where there is none. call, arguments: the system call that has not returned, None
    outside of any; numbers from 512 on are 512 above those of 32-bit programs. target: what is behind the call's
    descriptor. kernel: it is the kernel's own. still_ns: for at least so long it has not run, as the scheduler noted
    when it ran last; 0 where that isn't known.
    """

    tid: Whole
    tgid: Whole
    start_ns: Whole
    comm: Text
    process: Text
    state: Text
    cpu_ns: Whole
    switches: Whole | None = None
    waits: Text = ""
    stack: Whole | None = None
    call: Whole | None = None
    arguments: Annotated[list[Annotated[int, Meta(ge=0)]], SOME] = []
    target: Text = ""
    kernel: bool = False
    still_ns: Whole = 0


class OpenWait(msgspec.Struct, frozen=True, kw_only=True):
    """A wait that has begun and not ended, as an attached probe knows it.

    since_ns: monotonic. holder: the thread that held what is waited for when the wait began, 0 where that isn't known;
    read from memory of the program, so it may be wrong. waker: the thread that woke it last, before the wait began, 0
    where that isn't known or an interrupt did; woken_ns: when, monotonic.
    """

    tid: Whole
    since_ns: Whole
    holder: Whole = 0
    waker: Whole = 0
    woken_ns: Whole = 0


class Threads(Frame, frozen=True, kw_only=True):
    """All threads of the machine at one moment, as `ReadThreads` requested it; recorded while somebody looks.

    stacks: the kernel's functions, innermost first. count: threads that there were; the list is cut after a number of
    them. unread: what could not be read, a line each. error: why there are none, else "". waits: those of these threads
    that attached probes know, read a little later: some may have begun since. took_ns: the reading. host: which
    machine, where the stream comes from several.
    """

    monotonic_ns: Whole
    boottime_ns: Whole
    threads: Annotated[list[ThreadPlace], MANY] = []
    stacks: Annotated[list[Annotated[list[Text], SOME]], MANY] = []
    count: Whole = 0
    unread: Annotated[list[Text], SOME] = []
    error: Text = ""
    waits: Annotated[list[OpenWait], MANY] = []
    took_ns: Whole = 0
    host: Text = ""
