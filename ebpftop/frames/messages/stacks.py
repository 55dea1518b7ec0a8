"""Call stacks and their functions, by the numbers in rows."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ebpftop.frames.messages.base import FEW, MANY, Frame, Text, Whole


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """The function of a return address. Text is hostile. `name` is "" while no symbol is known, or the reason in
    brackets if there is none, `[stripped]` (`base.gaps`); `offset` is the address's offset in the symbol, or else in
    the module. missing: a placeholder for addresses that were not kept; `name` says why. python: a function interpreted
    by CPython; `module` is the end of its file's path. symbol: the compiler's name, if different. file, line: the
    source line of the address according to debugging information; "" and 0 if unknown. Inlined code has its own line.
    """

    id: Whole
    side: Literal["kernel", "user", "python", "missing"]
    name: Text = ""
    module: Text = ""
    offset: Whole = 0
    symbol: Text = ""
    file: Text = ""
    line: Whole = 0


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """One call stack: numbers of functions, outermost first, user's before the kernel's."""

    id: Whole
    functions: Annotated[list[Whole], FEW]


class Stacks(Frame, frozen=True, kw_only=True):
    """New stacks, and new or changed functions (a symbol may be found later). `id` is their number."""

    functions: Annotated[list[Function], MANY] = []
    stacks: Annotated[list[Stack], MANY] = []
