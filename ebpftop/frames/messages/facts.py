"""The /proc facts of one process."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ebpftop.frames.messages.base import FEW, SOME, Frame, Text, Whole


class Ancestor(msgspec.Struct, frozen=True, kw_only=True):
    """A process's parent, its parent's parent, … Text is hostile."""

    tgid: Whole
    start_ns: Whole
    comm: Text


class ThreadFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A thread. Text is hostile. state: the kernel's letter. waits: the kernel's function in which it waits, or ""."""

    tid: Whole
    comm: Text
    state: Text
    cpu_ns: Whole
    waits: Text = ""


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An open file that isn't a socket. Text is hostile."""

    fd: Whole
    target: Text


class SocketFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An open socket. Text is hostile. protocol: "" if it is in no table of the process's network namespace."""

    fd: Whole
    protocol: Text = ""
    local: Text = ""
    remote: Text = ""
    state: Text = ""


class LimitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A resource limit, by the kernel's name; None is none."""

    name: Text
    soft: Whole | None
    hard: Whole | None


class ProcessFacts(Frame, frozen=True, kw_only=True):
    """The /proc facts of a process, as requested by `ReadProcess`. Not part of a recording. Text is hostile.

    tgid, start_ns: from the request. gone: it has ended, and nothing else is known. unread: a line for each part that
    could not be read. Lists are cut after a number of entries; `thread_count` and the like are the numbers before the
    cut, counted up to a limit. command: None if it could not be read. state: the kernel's letter. ancestors: its parent
    first. cpu_ns: of all its threads. Memory in bytes, None if unknown; `pss` only for small processes, because the
    kernel counts every page for it.
    """

    tgid: Whole
    start_ns: Whole
    boottime_ns: Whole
    gone: bool = False
    unread: Annotated[list[Text], SOME] = []
    comm: Text = ""
    command: Text | None = None
    state: Text = ""
    ancestors: Annotated[list[Ancestor], SOME] = []
    uid: Whole = 0
    euid: Whole = 0
    user: Text = ""
    cgroup: Text = ""
    cpu_ns: Whole = 0
    rss: Whole | None = None
    swap: Whole | None = None
    pss: Whole | None = None
    limits: Annotated[list[LimitFacts], SOME] = []
    threads: Annotated[list[ThreadFacts], SOME] = []
    thread_count: Whole = 0
    files: Annotated[list[FileFacts], FEW] = []
    file_count: Whole = 0
    sockets: Annotated[list[SocketFacts], FEW] = []
    socket_count: Whole = 0
