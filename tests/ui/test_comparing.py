"""Two spans beside each other on the dashboard: how a comparison begins, moves and ends, and what it is of."""

from __future__ import annotations

import pytest

from ebpftop.model.past.span import Span
from ebpftop.ui.widgets.compared_panels import ComparedGrid, ComparedPanel
from ebpftop.ui.widgets.header import HeaderLine
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid
from ebpftop.ui.widgets.timeline import Timeline
from tests.support.frames import detached
from tests.ui.comparing import CALLS, PEOPLE, at, halves, moment, press, second, title
from tests.ui.conftest import Open
from tests.ui.probes import RUN


async def test_b_moves_with_the_keys_of_time_and_three_keys_end_it(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await halves(on, second)
        await press(on, "left_curly_bracket")
        assert f"with B {at(45)}–{at(60)}" in on.see(HeaderLine)
        await press(on, "left_parenthesis")
        assert f"comparing A {at(0)}–{at(30)} with B {at(30)}–{at(45)}" in on.see(HeaderLine)
        assert on.see(ComparedGrid).splitlines()[1].split()[1:5] == ["node", "20/s", "200/s", "×10"]
        await press(on, "b")
        assert not on.app.screen.query(ComparedPanel)
        assert f"· {at(30)}–{at(45)} (15 s) ·" in str(on.one(TableFrame).border_title)
        await press(on, "b", "escape")
        assert not on.app.screen.query(ComparedPanel)
        await press(on, "b")
        assert on.app.screen.query(ComparedPanel)
        await press(on, "0")
        assert not on.app.screen.query(ComparedPanel)
        assert "live 1 s" in on.see(HeaderLine)
        assert "A" in on.see(Timeline).splitlines()[1]
        assert "B" not in on.see(Timeline).splitlines()[1]


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_focus_stays_in_the_view(stage: Open, size: tuple[int, int]) -> None:
    async with stage(options=CALLS, size=size) as on:
        await on.play(PEOPLE, *map(second, range(0, 61)))
        on.one(TableGrid).focus()
        await on.settle()
        assert on.app.focused is on.one(TableGrid)
        await press(on, "a", "left_parenthesis", "b")
        assert on.app.focused is on.one(ComparedGrid)
        await press(on, "b")
        assert on.app.focused is on.one(TableGrid)
        assert on.app.screen.has_class("-probe")


async def test_without_a_the_key_says_what_comes_first(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.press("a")
        assert on.app.feed.when.a is None
        await on.play(PEOPLE, *map(second, range(0, 5)))
        await on.press("b")
        assert not on.app.feed.when.compares
        assert "a makes a span A; then b compares it with another" in on.told()


async def test_one_line_says_why_there_is_no_comparison(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, *map(second, range(10, 61)))
        await press(on, "a", "b")
        assert on.see(ComparedGrid).splitlines()[1] == "A and B are the same span: ( ) move B"
        on.app.feed.when.a = Span(moment(-20), moment(-10))
        await press(on, "left_parenthesis")
        assert on.see(ComparedGrid).splitlines()[1] == f"A: nothing before {at(10)}, where its data begins"


async def test_spans_that_overlap_or_are_known_in_part_are_named(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, *map(second, range(10, 61)))
        on.app.feed.when.a = Span(moment(0), moment(30))
        on.app.feed.when.choose(Span(moment(25), moment(60)))
        await press(on, "b")
        assert f"A and B overlap by 5 s · A: only {at(10)}–{at(30)} is known" in title(on)


async def test_a_probe_that_is_detached_and_closed_ends_nothing(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await halves(on, second)
        await on.play(detached(RUN["cpu/syscount"]))
        assert on.see(ComparedGrid).splitlines()[1].split()[1] == "node"
        await on.press("d")
        assert not on.app.screen.query(ComparedPanel)
        assert f"comparing A {at(0)}" in on.see(HeaderLine)


async def test_only_what_is_in_sight_is_compared_and_only_once(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await halves(on, second)
        comparing = on.app.feed.comparing
        before = comparing.state
        assert [view for _, view in comparing._found] == ["by process"]
        for number in range(61, 70):
            await on.play(second(number))
        await on.press("down", "s")
        assert comparing.state == before
        await press(on, "n")
        assert sorted(view for _, view in comparing._found) == ["by call", "by process"]


async def test_both_letters_stand_on_a_narrow_timeline(stage: Open) -> None:
    async with stage(options=CALLS, size=(80, 24)) as on:
        await halves(on, second)
        line = on.see(Timeline).splitlines()[0]
        assert line.index("A") < line.index("B")
        on.app.feed.when.a = Span(moment(31), moment(32))
        on.app.feed.when.choose(Span(moment(30), moment(31)))
        await on.app.draw()
        line = on.see(Timeline).splitlines()[0]
        assert line.index("B") + 1 == line.index("A")
        assert f"comparing A {at(31)}–{at(32)} with B {at(30)}–{at(31)}" in on.see(HeaderLine)
