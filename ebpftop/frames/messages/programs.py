"""The BPF programs of the machine, whoever loaded them."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ebpftop.frames.messages.base import FEW, MANY, Frame, Text, Whole


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A process with a descriptor of a program, or of a link to it. Text is hostile."""

    pid: Whole
    comm: Text


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A BPF program in the kernel, whoever loaded it. Text is hostile.

    loaded_ns: boottime. run_time_ns, run_count: since loading, while the kernel accounts run times. jited, translated:
    bytes of machine code and of BPF. holders: empty if it is pinned, or attached to something that keeps it. own:
    whether ebpftop holds it.
    """

    id: Whole
    name: Text
    type: Text
    tag: Text
    loaded_ns: Whole
    run_time_ns: Whole
    run_count: Whole
    jited: Whole
    translated: Whole
    holders: Annotated[list[Holder], FEW] = []
    own: bool = False


class Programs(Frame, frozen=True, kw_only=True):
    """All BPF programs of the machine at one moment, as requested by `ReadPrograms`.

    accounted_since_ns: monotonic, since when the kernel has accounted run times without a break; None if it doesn't.
    whole: whether all descriptors of all processes were looked at. error: why the list is empty, else "". host: the
    machine, if the stream has several.
    """

    monotonic_ns: Whole
    boottime_ns: Whole
    accounted_since_ns: Whole | None = None
    programs: Annotated[list[Program], MANY] = []
    whole: bool = True
    error: Text = ""
    host: Text = ""

    @property
    def accounted(self) -> bool:
        return self.accounted_since_ns is not None
