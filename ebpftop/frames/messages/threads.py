"""The state of every thread of the machine."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ebpftop.frames.messages.base import MANY, SOME, Frame, Text, Whole


class ThreadPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A thread, and what it is doing. Text is hostile.

    start_ns: boottime, of the thread. state: the kernel's letter. process: the name of its process. switches: how often
    it has left a CPU; None if that wasn't read. waits: the kernel's function in which it waits, or "". stack: a number
    in `Threads.stacks`, None if there is none. call, arguments: the system call that it is in, None if it is in none;
    numbers from 512 on are those of 32-bit programs plus 512. target: the object behind the call's descriptor. kernel:
    it is a kernel thread. still_ns: it has not run for at least this long, according to the scheduler; 0 if unknown.
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

    since_ns: monotonic. holder: the thread that held the lock when the wait began, 0 if unknown; read from the
    program's memory, so it may be wrong. waker: the thread that last woke it before the wait began, 0 if unknown or if
    an interrupt did; woken_ns: when, monotonic.
    """

    tid: Whole
    since_ns: Whole
    holder: Whole = 0
    waker: Whole = 0
    woken_ns: Whole = 0


class Threads(Frame, frozen=True, kw_only=True):
    """All threads of the machine at one moment, as requested by `ReadThreads`; recorded while somebody looks.

    stacks: the kernel's functions, innermost first. count: the number of threads; the list is cut after a number of
    them. unread: a line for each thing that could not be read. error: why the list is empty, else "". waits: the waits
    of these threads that attached probes know, read a little later, so some may have begun since. took_ns: the duration
    of the reading. host: the machine, if the stream has several.
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
