"""Tables of lines: as this interpreter itself reads them, and whatever they hold."""

from __future__ import annotations

import argparse
import json.decoder
import typing
from collections.abc import Iterator
from types import CodeType

from hypothesis import given
from hypothesis import strategies as st

from ebpftop.kernel.python_lines import PythonLines


def codes(code: CodeType) -> Iterator[CodeType]:
    """A module's code, and that of all functions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def all_codes() -> Iterator[CodeType]:
    for module in (argparse, json.decoder, typing):
        assert module.__file__ is not None
        with open(module.__file__, encoding="utf-8") as file:
            yield from codes(compile(file.read(), module.__file__, "exec"))


def test_every_instruction_has_the_line_that_the_interpreter_gives_it() -> None:
    asked = 0
    for code in all_codes():
        lines = PythonLines(code.co_linetable, code.co_firstlineno)
        for start, end, line in code.co_lines():
            for place in range(start, end, 2):
                assert lines.line(place) == (line or 0), (code.co_qualname, place)
                asked += 1
        assert lines.line(len(code.co_code)) == 0
    assert asked > 10_000


def test_a_table_that_is_cut_knows_its_beginning() -> None:
    code = next(each for each in all_codes() if len(each.co_linetable) > 1000)
    half = PythonLines(code.co_linetable[:500], code.co_firstlineno)
    whole = PythonLines(code.co_linetable, code.co_firstlineno)
    known = [place for place in range(0, len(code.co_code), 2) if half.line(place)]
    assert 0 < len(known) < len(code.co_code) // 2
    assert all(half.line(place) == whole.line(place) for place in known[:-16])
    assert half.line(len(code.co_code) - 2) == 0


@given(st.binary(max_size=400), st.integers(0, (1 << 32) - 1), st.integers(-(1 << 33), 1 << 33))
def test_whatever_a_table_holds_a_line_is_a_line_or_0(table: bytes, first: int, place: int) -> None:
    lines = PythonLines(table, first)
    for each in (place, *range(0, 200, 7)):
        assert 0 <= lines.line(each) < 1 << 31
    assert lines.line(-1) == 0
    assert lines.line(16 * len(table) + 1) == 0
