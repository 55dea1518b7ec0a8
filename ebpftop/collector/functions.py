"""Functions by address. Their symbols are requested from the root side, seldom and many at once; one symbol names all
addresses in the same function, so that requests become rare.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from itertools import count

from ebpftop.collector.census import Census
from ebpftop.frames.messages import FOLDED, Function, Stack, Stacks
from ebpftop.handover.protocol import Addresses, RequestSymbols, SymbolRange, Symbols

# Innermost in a stack that a program on a tracepoint takes: the program, and what called it. How many there are depends
# on the kernel, and on who else listens to that tracepoint.
_MACHINERY = re.compile(r"bpf_prog_|bpf_trace_run|bpf_trampoline_|__traceiter_|__bpf_trace_|perf_trace_|trace_call_bpf")
KERNEL = FOLDED  # the space of the kernel's addresses; those of processes have their identity's number
MOST_ADDRESSES, MOST_PROCESSES = 1 << 16, 256  # of one request


class Space:
    """The functions of one address space. `programs`: how often its process had executed another program."""

    def __init__(self, programs: int) -> None:
        self.programs = programs
        self.functions: dict[int, int] = {}  # address → number
        self.unrequested: list[int] = []
        self._ranges: dict[int, SymbolRange] = {}
        self._starts: list[int] = []

    def add(self, ranges: Iterable[SymbolRange]) -> None:
        self._ranges |= {each.start: each for each in ranges}
        self._starts = sorted(self._ranges)

    def find(self, address: int) -> SymbolRange | None:
        after = bisect_right(self._starts, address)
        if not after:
            return None
        found = self._ranges[self._starts[after - 1]]
        return found if address < found.end else None


class Functions:
    """Numbers for functions, what is known of them, and which addresses have no symbol yet."""

    def __init__(self, census: Census) -> None:
        self._census = census
        self._numbers, self._stack_numbers = count(), count()
        self._spaces: dict[int, Space] = {KERNEL: Space(0)}
        self._missing: dict[str, int] = {}
        self._changed: dict[int, Function] = {}
        self._stacks: dict[int, Stack] = {}
        self._unnamed: set[int] = set()  # functions of the kernel that have no name yet
        self._nameless: set[int] = set()  # and those that won't have one
        self._machinery: set[int] = set()
        self._uncut: dict[int, list[int]] = {}  # stacks that may end in machinery
        self._requested: dict[int, tuple[Space, list[int]]] = {}  # what no answer has come to yet

    def number(self, space: int, address: int) -> int:
        """The number of the function at an address: one number an address."""
        found = self._space(space)
        number = found.functions.get(address)
        if number is None:
            number = found.functions[address] = next(self._numbers)
            known = found.find(address)
            self._report(number, space, address, known)
            if known is None:
                found.unrequested.append(address)
        return number

    def missing(self, why: str) -> int:
        """The number of a place for addresses that were not kept."""
        if why not in self._missing:
            number = self._missing[why] = next(self._numbers)
            self._changed[number] = Function(id=number, side="missing", name=why)
        return self._missing[why]

    def stack(self, functions: list[int]) -> int:
        """The number of a new stack, outermost function first."""
        number = next(self._stack_numbers)
        self._report_stack(number, functions)
        return number

    def _report_stack(self, number: int, functions: list[int]) -> None:
        """Report it without the machinery, and again when more of its end turns out to be machinery."""
        if len(functions) > 1 and functions[-1] in self._nameless and functions[-2] in self._machinery:
            functions.pop()  # a program that the kernel doesn't name, or that is gone
        while functions and functions[-1] in self._machinery:
            functions.pop()
        self._stacks[number] = Stack(id=number, functions=list(functions))
        if functions and functions[-1] in self._unnamed:
            self._uncut[number] = functions
        else:
            self._uncut.pop(number, None)

    def changes(self) -> Stacks | None:
        """What is new or known better since the last call."""
        if not self._changed and not self._stacks:
            return None
        changes = Stacks(functions=list(self._changed.values()), stacks=list(self._stacks.values()))
        self._changed, self._stacks = {}, {}
        return changes

    # ---------------------------------------------------------------- names

    @property
    def unrequested(self) -> bool:
        """Whether there may be something to request."""
        return any(space.unrequested for space in self._spaces.values())

    def request(self, run: int) -> RequestSymbols | None:
        """The next request; None while an answer is due, or nothing is missing. Dead processes have no symbols."""
        if self._requested:
            return None
        kernel: list[int] = []
        processes: list[Addresses] = []
        room = MOST_ADDRESSES
        for number, space in list(self._spaces.items()):
            if not space.unrequested or room <= 0 or len(processes) >= MOST_PROCESSES:
                continue
            identity = None if number == KERNEL else self._census.alive(number)
            if number != KERNEL and (identity is None or identity.programs != space.programs):
                space.unrequested.clear()
                continue
            addresses, space.unrequested = space.unrequested[:room], space.unrequested[room:]
            room -= len(addresses)
            self._requested[number] = space, addresses
            if identity is None:
                kernel = addresses
            else:
                processes.append(Addresses(id=number, tgid=identity.tgid, start_ns=identity.start, addresses=addresses))
        return RequestSymbols(run=run, kernel=kernel, processes=processes) if self._requested else None

    def learn(self, answer: Symbols | None) -> None:
        """Apply an answer; None: there will be none."""
        requested, self._requested = self._requested, {}
        answered = {KERNEL: answer.kernel, **dict(answer.processes)} if answer is not None else {}
        for number, (space, addresses) in requested.items():
            space.add(answered.get(number, ()))
            for address in addresses:
                known = space.find(address)
                self._unnamed.discard(space.functions[address])
                if known is not None:
                    self._report(space.functions[address], number, address, known)
                elif number == KERNEL:
                    self._nameless.add(space.functions[address])
        for number, functions in list(self._uncut.items()):
            if functions[-1] not in self._unnamed:
                self._report_stack(number, functions)

    def forget(self) -> None:
        """Drop the addresses of dead processes: no symbols and no new addresses will come."""
        for number, space in list(self._spaces.items()):
            if number != KERNEL and not space.unrequested and self._census.alive(number) is None:
                del self._spaces[number]

    def _space(self, number: int) -> Space:
        identity = None if number == KERNEL else self._census.alive(number)
        programs = identity.programs if identity is not None else 0
        found = self._spaces.get(number)
        if found is None or (identity is not None and found.programs != programs):
            found = self._spaces[number] = Space(programs)
        return found

    def _report(self, number: int, space: int, address: int, known: SymbolRange | None) -> None:
        if space == KERNEL and known is None:
            self._unnamed.add(number)
        elif space == KERNEL and known is not None and _MACHINERY.match(known.name):
            self._machinery.add(number)
        self._changed[number] = Function(
            id=number,
            side="kernel" if space == KERNEL else "user",
            name=known.name if known else "",
            module=known.module if known else "",
            offset=max(0, address - known.base) if known else 0,
        )
