"""Functions by address. Symbols are requested rarely and many at once; each names all addresses of its function."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import count

import numpy as np

from ebpftop.base.gaps import GONE
from ebpftop.collector.census import Census
from ebpftop.collector.departed import Departed
from ebpftop.collector.ranges import Ranges
from ebpftop.frames.messages import FOLDED, Function, Stack, Stacks
from ebpftop.handover.protocol import Addresses, ProcessSymbols, RequestSymbols, SymbolRange, Symbols

# Innermost in a stack that a program on a tracepoint takes: the program, and what called it. How many there are depends
# on the kernel, and on who else listens to that tracepoint.
_MACHINERY = re.compile(r"bpf_prog_|bpf_trace_run|bpf_trampoline_|__traceiter_|__bpf_trace_|perf_trace_|trace_call_bpf")
KERNEL = FOLDED  # the space of the kernel's addresses; those of processes have their identity's number
MOST_ADDRESSES, MOST_PROCESSES = 1 << 16, 256  # of one request
NOWHERE = "nowhere"  # stands for what is mapped at an address where nothing is


Change = dict[int, dict[int, int | None]]
"""By space, the addresses at which there is other code since a moment between the last two looks, and the number that
stands for either; None where there is no code now, so that all that was counted belongs to the former."""


NEVER = SymbolRange(start=0, end=0, base=0, name="", module="")  # what an address is that was never looked up
Difference = tuple[int, SymbolRange | None, SymbolRange | None]  # address, before, now


class Space(Ranges):
    """The functions of one address space. `programs`: how many programs its process had executed."""

    def __init__(self, programs: int) -> None:
        super().__init__()
        self.programs = programs
        self.functions: dict[int, int] = {}  # address → number
        self.unrequested: list[int] = []
        self.ran = False  # whether its code was counted since the last request
        self.perf_map = ""  # its version
        self._known: dict[int, SymbolRange | None] = {}  # by address
        self._vanished: set[int] = set()  # those whose name was missing the last time

    @property
    def doubtful(self) -> bool:
        return bool(self._vanished)

    def know(self, address: int, what: SymbolRange | None) -> None:
        self._known[address] = what

    def forget(self, address: int) -> None:
        """Nothing is there any more: what ran there has its number, and gets no name."""
        del self.functions[address]
        self._known.pop(address, None)
        self.unrequested = [each for each in self.unrequested if each != address]

    def known(self, less: set[int]) -> dict[str, list[int]]:
        """Addresses that have been looked up, by what is mapped there; some left out."""
        by: dict[str, list[int]] = {}
        for address, what in self._known.items():
            if address not in less:
                by.setdefault(what.mapped if what else NOWHERE, []).append(address)
        return by

    def unseen(self) -> list[int]:
        """Addresses that have not been looked up."""
        return [address for address in self.unrequested if address not in self._known]

    def renew(self, answer: ProcessSymbols, named: Iterable[int]) -> list[Difference]:
        """Forget possibly outdated functions, and add new ones. named: addresses that were looked up for names."""
        for mapped, addresses in answer.mapped.items():
            self._known |= {address: _place(address, mapped) for address in addresses}
        before = {address: self._known.get(address) for address in answer.again}
        stale = {what.mapped for what in before.values() if what is not None}
        before |= {address: self._known.get(address, NEVER) for address in named}
        self.drop(stale)
        self.add(answer.ranges)
        self.perf_map = answer.perf_map
        if any(what and what.mapped in stale and at not in before for at, what in self._known.items()):
            self.perf_map = ""  # met since the request, and named by what may not hold: look once more
        differing = []
        for address, was in before.items():
            now = self.find(address)
            if _same_memory(was, now) and _names(was) and not _names(now) and address not in self._vanished:
                self._vanished.add(address)  # a map that is being rewritten lacks names for a moment: look once more
                self.perf_map = ""
                continue
            self._vanished.discard(address)
            self._known[address] = now
            if was != now:
                differing.append((address, was, now))
        return differing


def _place(address: int, mapped: str, why: str = "") -> SymbolRange:
    """A place of which nothing but that is known."""
    return SymbolRange(start=address, end=address + 1, base=address, name="", module="", mapped=mapped, why=why)


def _either(number: int, was: SymbolRange | None, now: SymbolRange) -> Function:
    """Stands for two functions that occupied the same place in the same interval: which one ran isn't known."""
    before, after = _label(was), _label(now)
    names, modules = (dict.fromkeys(pair) for pair in zip(before, after, strict=True))
    return Function(id=number, side="user", name=" or ".join(names), module=" or ".join(filter(None, modules)))


def _label(what: SymbolRange | None) -> tuple[str, str]:
    return (_name(what) or "[unknown]", what.module) if what else ("[unknown]", "")


def _name(what: SymbolRange) -> str:
    """In brackets why it has no name, if that is known."""
    return what.name or (f"[{what.why}]" if what.why else "")


def _names(what: SymbolRange | None) -> bool:
    return what is not None and what.name != ""


def _same_memory(was: SymbolRange | None, now: SymbolRange | None) -> bool:
    return was is not None and now is not None and was.mapped == now.mapped


class Functions:
    """Numbers for functions, the facts known about them, and the addresses that have no symbol yet."""

    def __init__(self, census: Census, departed: Departed | None = None) -> None:
        self._census, self._departed = census, departed
        self._numbers, self._stack_numbers = count(), count()
        self._spaces: dict[int, Space] = {KERNEL: Space(0)}
        self._missing: dict[str, int] = {}
        self._python: dict[tuple[str, str, str, int], int] = {}
        self._changed: dict[int, Function] = {}
        self._stacks: dict[int, Stack] = {}
        self._unnamed: set[int] = set()  # functions of the kernel that have no name yet
        self._nameless: set[int] = set()  # and those that won't have one
        self._machinery: set[int] = set()
        self._uncut: dict[int, list[int]] = {}  # stacks that may end in machinery
        self._requested: dict[int, tuple[Space, list[int]]] = {}  # what no answer has come to yet
        self._names = True  # whether that is of names
        self.retries = False  # whether the last answer came too late for some, which the next one may name

    def number(self, space: int, address: int) -> int:
        """The number of the function at an address: one number per address."""
        found = self._space(space)
        number = found.functions.get(address)
        if number is None:
            number = found.functions[address] = next(self._numbers)
            known = found.find(address)
            self._report(number, space, address, known)
            if known is None:
                found.unrequested.append(address)
            else:
                found.know(address, known)
        return number

    def ran(self, space: int) -> int:
        """Code of a process was counted, which may be other code by now; how often it had executed a program."""
        found = self._space(space)
        found.ran = True
        return found.programs

    def missing(self, why: str) -> int:
        """The number of a placeholder for addresses that were not kept."""
        if why not in self._missing:
            number = self._missing[why] = next(self._numbers)
            self._changed[number] = Function(id=number, side="missing", name=why)
        return self._missing[why]

    def python(self, name: str, module: str, file: str, line: int) -> int:
        """The number of a line of a Python function; of an unknown one if too many are known."""
        place = name, module, file, line
        number = self._python.get(place)
        if number is None:
            if len(self._python) >= MOST_ADDRESSES and name:
                return self.python("", "Python", "", 0)
            number = self._python[place] = next(self._numbers)
            self._changed[number] = Function(
                id=number, side="python", name=name, module=module, file=file if line else "", line=line
            )
        return number

    def stack(self, functions: list[int]) -> int:
        """The number of a new stack, outermost function first."""
        number = next(self._stack_numbers)
        self._report_stack(number, functions)
        return number

    def _report_stack(self, number: int, functions: list[int]) -> None:
        """Report it without the interpreter's machinery, and again when more of its end turns out to be machinery."""
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
        """What is new or better known since the last call."""
        if not self._changed and not self._stacks:
            return None
        changes = Stacks(functions=list(self._changed.values()), stacks=list(self._stacks.values()))
        self._changed, self._stacks = {}, {}
        return changes

    # ---------------------------------------------------------------- names

    @property
    def unrequested(self) -> bool:
        """Whether there may be something to request."""
        of_ended = self._departed is not None and self._departed.waiting > 0
        return of_ended or any(space.unrequested for space in self._spaces.values())

    @property
    def unchecked(self) -> bool:
        """Whether counted code may have changed."""
        return any(space.ran for space in self._spaces.values())

    @property
    def doubtful(self) -> bool:
        """Whether names vanished, so that only the next answer shows whether other code replaced theirs."""
        return any(space.doubtful for space in self._spaces.values())

    def request(self, run: int, *, names: bool = True) -> RequestSymbols | None:
        """The next request; None while an answer is due, or nothing is missing. What is known of the dead was noted.

        Processes take turns, those with new addresses first. Without `names`, only mappings are looked up, so that a
        name that comes later is known to belong to the same mapping.
        """
        if self._requested:
            return None
        if names and self._departed is not None:
            self._departed.catch_up()
        kernel: list[int] = []
        processes: list[Addresses] = []
        room = MOST_ADDRESSES
        waiting = [item for item in self._spaces.items() if (names and item[1].unrequested) or item[1].ran]
        for number, space in sorted(waiting, key=lambda item: not item[1].unrequested):
            if room <= 0 or len(processes) >= MOST_PROCESSES:
                break
            identity = None if number == KERNEL else self._census.alive(number)
            if number != KERNEL and (identity is None or identity.programs != space.programs):
                if identity is None and not names:
                    space.ran = False
                    continue
                if identity is None and self._departed is not None:
                    self._want(number, space, self._departed)
                space.unrequested.clear()
                space.ran = False
                continue
            if names:
                addresses, space.unrequested = space.unrequested[:room], space.unrequested[room:]
            else:
                addresses = space.unseen()[:room]
            room -= len(addresses)
            self._requested[number] = space, addresses
            if identity is None:
                kernel = addresses
                continue
            self._spaces[number] = self._spaces.pop(number)  # it comes last the next time
            known = space.known(set(addresses)) if space.ran else {}
            space.ran = False
            room -= sum(map(len, known.values()))
            processes.append(
                Addresses(
                    id=number,
                    tgid=identity.tgid,
                    start_ns=identity.start,
                    addresses=addresses,
                    known=known,
                    perf_map=space.perf_map,
                )
            )
        self._names = names
        of_ended, files = self._departed.request() if names and self._departed is not None else ([], [])
        processes += of_ended
        if not (self._requested or processes or files):
            return None
        return RequestSymbols(run=run, kernel=kernel, processes=processes, names=names, files=files)

    def _want(self, number: int, space: Space, departed: Departed) -> None:
        """Request the names of an ended process's functions."""
        for address in space.unrequested:
            self._report(space.functions[address], number, address, _place(address, "", GONE))
            departed.want(number, address, partial(self._learned, number, space, address))

    def _learned(self, number: int, space: Space, address: int, known: SymbolRange) -> None:
        if known.name:
            space.add([known])
        self._report(space.functions[address], number, address, known)

    def learn(self, answer: Symbols | None) -> Change:
        """Apply an answer; None: no answer will come. Returns where code has changed."""
        requested, self._requested = self._requested, {}
        if self._departed is not None:
            self._departed.answered(answer.processes if answer is not None else [])
        answered = {each.id: each for each in answer.processes} if answer is not None else {}
        if answer is not None:
            answered[KERNEL] = ProcessSymbols(id=KERNEL, ranges=answer.kernel)
        change: Change = {}
        for number, (space, addresses) in requested.items():
            if number in answered:
                differing = space.renew(answered[number], addresses if self._names else ())
                change[number] = dict(self._replace(number, space, differing))
            for address in addresses if self._names and number == KERNEL else ():
                self._name_kernel(space, address)
        self.retries = self._names and self._again(requested)
        current = {number for number, (space, _) in requested.items() if self._spaces.get(number) is space}
        for number, functions in list(self._uncut.items()):
            if functions[-1] not in self._unnamed:
                self._report_stack(number, functions)
        return {number: addresses for number, addresses in change.items() if addresses and number in current}

    def _again(self, requested: dict[int, tuple[Space, list[int]]]) -> bool:
        """Try to name functions whose process ended meanwhile by its recorded mappings. Whether there are any."""
        self._census.catch_up()
        before = sum(len(space.unrequested) for space, _ in requested.values())
        for number, (space, addresses) in requested.items():
            if number != KERNEL and self._census.alive(number) is None:
                space.unrequested += [at for at in addresses if at in space.functions and space.find(at) is None]
        return sum(len(space.unrequested) for space, _ in requested.values()) > before

    def _name_kernel(self, space: Space, address: int) -> None:
        function, known = space.functions[address], space.find(address)
        self._unnamed.discard(function)
        if known is None:
            self._nameless.add(function)

    def _replace(self, number: int, space: Space, differing: list[Difference]) -> Iterator[tuple[int, int | None]]:
        """Report better known functions; give changed code a new number."""
        for address, was, now in differing:
            function = space.functions[address]
            if (
                was is NEVER
                or (_same_memory(was, now) and not _names(was))
                or (was and now and _label(was) == _label(now))
            ):
                self._report(function, number, address, now)
                continue
            if now is None:
                space.forget(address)
                yield address, None
                continue
            space.functions[address] = next(self._numbers)
            self._report(space.functions[address], number, address, now)
            either = next(self._numbers)
            self._changed[either] = _either(either, was, now)
            yield address, either

    def forget(self) -> None:
        """Drop the addresses of ended processes: neither symbols nor new addresses will come."""
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
        file, line = _source(known, address) if known else ("", 0)
        self._changed[number] = Function(
            id=number,
            side="kernel" if space == KERNEL else "user",
            name=_name(known) if known else "",
            module=known.module if known else "",
            offset=max(0, address - known.base) if known else 0,
            symbol=known.symbol if known else "",
            file=file,
            line=line,
        )


def _source(known: SymbolRange, address: int) -> tuple[str, int]:
    """File and line of the code at an address; "" and 0 if unknown."""
    rows = np.frombuffer(known.lines, "<u4", len(known.lines) // 12 * 3).reshape(-1, 3)
    at = int(np.searchsorted(rows[:, 0], address - known.start, "right")) - 1
    if at < 0:
        return "", 0
    _, file, line = rows[at].tolist()
    return (known.files[file], line) if line and file < len(known.files) and known.files[file] else ("", 0)
