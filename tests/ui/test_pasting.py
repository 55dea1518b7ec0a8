"""Input lines draw their text as it is: what is pasted or filled in is made harmless first."""

from __future__ import annotations

import pytest
from textual import events
from textual.widgets import Input

from ebpftop.ui.app.options import Options
from ebpftop.ui.drawing.inert import for_input
from ebpftop.ui.messages import LoadAsked
from ebpftop.ui.screens.parameters import ParameterForm
from ebpftop.ui.widgets.panel import FilterInput
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support.frames import process, processes
from tests.ui.conftest import Open, Stage, seen
from tests.ui.probes import calls

CALLS = Options(auto_load=[("cpu/syscount", {})])
EVIL = "a\x1b[31mb\x9b4m\u202ec\x7f\x0e\x05\x08d"
SHOWN = "a [31mb 4m c    d"
LINES = {"search": "/", "go to": "@", "palette": "ctrl+p", "filter": "f", "mark": "m", "record": "r"}


async def field(on: Stage, key: str) -> Input:
    await on.press(key)
    focused = on.app.focused
    assert isinstance(focused, Input)
    return focused


@pytest.mark.parametrize("key", LINES.values(), ids=LINES)
async def test_pasted_text_is_one_printable_line(stage: Open, key: str) -> None:
    async with stage(options=CALLS) as on:
        await on.play(processes(process(1, "postgres")), calls(1, {1: 5}))
        line = await field(on, key)
        on.app.post_message(events.Paste(f"{EVIL}\nmore"))
        await on.settle()
        assert line.value == SHOWN
        assert seen(line).isprintable()
        on.app.copy_to_clipboard(f"{EVIL}\nmore")
        await on.press("ctrl+v")
        assert line.value == SHOWN * 2


async def test_a_filter_filled_from_a_tape_is_printable_and_finds_its_rows(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(processes(process(1, "postgres"), process(2, EVIL)), calls(1, {1: 5, 2: 7}))
        on.one(TableFrame).fill_filter(EVIL)
        await on.settle()
        assert on.one(FilterInput).value == SHOWN
        assert on.see(FilterInput).isprintable()
        assert on.one(TableGrid).count == 1


async def test_a_given_parameter_is_printable_in_its_field(stage: Open) -> None:
    async with stage() as on:
        on.app.post_message(LoadAsked("cpu/runqlat", {"pid": EVIL}, form=True))
        await on.settle()
        screen = on.app.screen
        assert isinstance(screen, ParameterForm)
        assert screen.inputs["pid"].value == SHOWN


@pytest.mark.parametrize("text", ["", "\n", "\x85", "\u2029\u2028"])
def test_a_text_without_a_first_line_is_nothing(text: str) -> None:
    assert for_input(text) == ""
