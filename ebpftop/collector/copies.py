"""Copied user stacks, unwound in place in their ring buffer. They may contain secrets: only
addresses of code are kept.
"""

from __future__ import annotations

import ctypes
import struct
import time
from collections.abc import Callable, Iterable
from math import inf
from typing import NamedTuple

from ebpftop.base.gaps import NOWHERE
from ebpftop.collector.codes import PATIENCE, Codes, Program
from ebpftop.collector.known import KnownStacks, added_up
from ebpftop.collector.layout import dtype
from ebpftop.collector.pythons import DEEPER, Pythons
from ebpftop.collector.ring import Ring, RingBroken
from ebpftop.collector.unwound import Tokens, UnwoundStacks
from ebpftop.frames.layout import COPY, MapLayout, signature
from ebpftop.kernel import libbpf
from ebpftop.unwind.rows import RIP, RSP
from ebpftop.unwind.stack import Unwound

SHARE, AT_ONCE = 0.25, 0.1  # of a CPU, and seconds of it, that unwinding may take; what is more waits, and is lost
PAGE = 4096

_HEAD = struct.Struct("<6Q21Q2I2i2I2Q16s")
_ENTRIES = next(count for name, _, count in COPY if name == "entries")
_REGISTERS = (10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16)  # DWARF's numbers → places in struct pt_regs


class Sample(NamedTuple):
    """One unwound sample: its time in monotonic ns, its CPU, process and thread, and the numbers of its stacks."""

    time: int
    cpu: int
    tgid: int
    tid: int
    thread: bytes
    user: int
    kernel: int


class Copies:
    """Reads the ring buffer of copies behind a descriptor. The caller keeps the descriptors.

    by_pointers: the map of programs that need no copies. pythons: the reader of Python functions. count: called with
    each sample and the value that it adds to its row. Samples with a token are counted by the kernel: `tokens` gets
    their numbers, and `known` their stacks, so that the kernel recognises these. Raises `OSError`, and `ValueError` for
    records that aren't copies.
    """

    def __init__(
        self,
        fd: int,
        layout: MapLayout,
        by_pointers: int | None,
        codes: Codes,
        stacks: UnwoundStacks,
        count: Callable[[Sample, int], None],
        tokens: Tokens | None = None,
        known: KnownStacks | None = None,
        pythons: Pythons | None = None,
    ) -> None:
        *fields, stack = layout.value.fields
        if signature(fields) != COPY or stack.name != "stack":
            raise ValueError(f"{layout.name!r} holds something other than what ebpftop_copies_maps.h puts there")
        self.name, self.fd, self.ring = layout.name, fd, Ring(fd, layout.max_entries, dtype(layout.value))
        self._start, self._room = stack.offset, stack.count
        self._by_pointers, self._codes, self._stacks, self._count = by_pointers, codes, stacks, count
        self._tokens, self._known, self._pythons = tokens or Tokens(), known, pythons
        self._may_spend, self._may_since = AT_ONCE, time.monotonic()
        self.waiting = False  # whether a sample waits for code
        self._done: set[int] = set()  # positions of those that came after one that waits

    def take(self, *, last: bool = False) -> None:
        """Unwind new and waiting copies. last: nothing may wait any longer. Raises `RingBroken`."""
        now = time.monotonic()
        began, waiting = time.thread_time(), False
        self._may_spend = min(AT_ONCE, self._may_spend + (now - self._may_since) * SHARE)
        self._may_since = now
        if self._pythons is not None:
            self._pythons.take()
        for position, record in self.ring.in_place():
            if position not in self._done and len(record):
                full = self.ring.waiting > self.ring.size // 2
                if not self._unwind(record, now, inf if last else PATIENCE if full else 0):
                    waiting = True
                    continue
            if waiting:
                self._done.add(position)
            else:
                self.ring.release(position)
                self._done.discard(position)
            if time.thread_time() > began + self._may_spend and not last:
                break
        self._may_spend -= time.thread_time() - began
        self.waiting = waiting

    def _unwind(self, record: memoryview, now: float, least: float) -> bool:
        """Count one copy, as if it were at least this many seconds old. False: it waits."""
        if len(record) < self._start + self._room:
            raise RingBroken(f"a copy of {len(record):,} bytes")
        taken, value, start, code, top, mapped, *rest = _HEAD.unpack_from(record)
        registers, rest = [rest[place] for place in _REGISTERS], rest[21:]
        cpu, tgid, kernel, token, size, python, frames, tid, thread = rest
        program = Program(tgid, start, code, top)
        age = max(now - taken / 1e9, least)
        found = self._codes.space(program, mapped, age, now)
        if found is None:
            return False
        if isinstance(found, str):
            stack = Unwound((registers[RIP],), found)
        else:
            sp = registers[RSP] & PAGE - 1
            words = record[self._start + sp : self._start + sp + min(size, self._room - sp) // 8 * 8].cast("Q")
            entries = record[_HEAD.size : _HEAD.size + 8 * min(frames, _ENTRIES)].cast("Q")
            interpreter = self._codes.python(program) if self._pythons is not None else None
            effort, returns = self._codes.effort(program, now), list[int]()
            bounds: list[int] | None = [] if interpreter is not None and frames else None
            stack = found.unwind(
                registers, words, effort, whole=self._room - PAGE, top=top, returns=returns, bounds=bounds
            )
            if stack.ended == NOWHERE and self._codes.again(program, age, now):
                words.release()
                entries.release()
                return False
            if self._pythons is not None and bounds:
                places = self._pythons.woven(stack.places, bounds, entries, deeper=python == DEEPER)
                stack = stack._replace(places=places)
            if self._pythons is not None and interpreter is not None and not python:
                self._pythons.tell(program, interpreter)
            elif interpreter is None and self._codes.by_pointers(program):
                self._spare(tgid, top, mapped)
            elif token and self._known is not None and stack.holds:
                place = registers[RIP], registers[RSP], added_up(entries), tgid
                self._known.add(place, (top, mapped), returns, words, self._stacks.number(stack))
            words.release()
            entries.release()
        number = self._stacks.number(stack)
        if token:
            self._tokens.give(token, number)
        else:
            self._count(Sample(taken, cpu, tgid, tid, thread.partition(b"\0")[0], number, kernel), value)
        return True

    def _spare(self, tgid: int, top: int, mapped: int) -> None:
        """Let the kernel walk a program's stacks by frame pointers."""
        if self._by_pointers is None:
            return
        key, value = ctypes.c_uint32(tgid), (ctypes.c_uint64 * 2)(top, mapped)
        libbpf.library().bpf_map_update_elem(self._by_pointers, ctypes.byref(key), ctypes.byref(value), 0)

    def changed(self, tgids: Iterable[int]) -> None:
        """See `Codes.changed`."""
        self._codes.changed(tgids)

    def close(self) -> None:
        self.ring.close()
