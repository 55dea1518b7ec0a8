"""Call stacks and their functions, by the numbers that rows hold."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ebpftop.frames.messages.base import FEW, MANY, Frame, Text, Whole


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """Where a return address lies. Text is hostile. `name` is "" while no symbol is known, or in brackets why there is
    none, `[stripped]` (`base.gaps`); `offset` is that of the address in the symbol, else in the module.
    missing: a place for addresses that were not kept, and `name` says why.
    python: a function that CPython interprets, `module` the end of its file's path.
    symbol: the name as compilers write it, where that is another. file, line: where the address is in the source, as
    debugging information has it; "" and 0 where that isn't known. Code that was inlined has its own.
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
    """New stacks, and new or changed functions (a symbol may be found later): `id` is what they are known by."""

    functions: Annotated[list[Function], MANY] = []
    stacks: Annotated[list[Stack], MANY] = []
