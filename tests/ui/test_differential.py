"""The flame graph of two spans: what takes more of B than of A, and what takes less."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ebpftop.frames.messages import AnyFrame, AnyRequest, Load
from ebpftop.model.comparing.words import points
from ebpftop.model.past.span import Span
from ebpftop.ui.app.options import Options
from ebpftop.ui.widgets.flame import Flame
from ebpftop.ui.widgets.flame_frame import Details, FlameFrame
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support.frames import SAMPLES, SECOND, loaded, process, processes, samples, stacks
from tests.ui.conftest import Open, Stage

PEOPLE = processes(process(1, "app"))
STACKS = stacks({1: ["main", "parse"], 2: ["main", "hash"], 3: ["main", "gone"], 4: ["main", "same"]})
A, B = Span(1000 * SECOND, 1030 * SECOND), Span(1030 * SECOND, 1060 * SECOND)


def second(number: int) -> AnyFrame:
    """In each second of A 4, 2, 1 and 3 samples, of B 1, 5, none and 4."""
    first, rest = min(number, 30), max(0, number - 30)
    counts = (4 * first + rest, 2 * first + 5 * rest, first, 3 * first + 4 * rest)
    return samples(9, number, {(1, at): count for at, count in enumerate(counts, 1) if count})


@asynccontextmanager
async def compared(stage: Open, size: tuple[int, int] = (180, 50)) -> AsyncIterator[Stage]:
    def answer(request: AnyRequest) -> list[AnyFrame]:
        return [loaded(9, "cpu/runqlat", SAMPLES)] if isinstance(request, Load) else []

    async with stage(options=Options(auto_load=[("cpu/runqlat", {})]), size=size, answer=answer) as on:
        await on.play(PEOPLE, STACKS, *map(second, range(61)))
        if size[0] >= 100:
            await on.press("tab")
        on.app.feed.when.choose(A)
        await on.press("a", "right_parenthesis", "b")
        yield on


def graph(on: Stage) -> list[list[str]]:
    return [line.replace("▏", " ").split() for line in on.see(Flame).rstrip().split("\n")]


async def test_frames_say_whether_they_take_more_or_less_than_in_a(stage: Open) -> None:
    async with compared(stage) as on:
        assert graph(on) == [["all"], ["app"], ["main"], ["+hash", "same", "−parse"]]
        title = str(on.one(FlameFrame).border_title)
        assert "B " in title
        assert "+ more and − less than A " in title
        await on.press("down", "down", "down", "down", "right", "right")
        assert "parse" in on.see(Details)
        assert "40% before" in on.see(Details)


async def test_what_grew_most_is_on_top_of_the_functions(stage: Open) -> None:
    async with compared(stage) as on:
        lines = [line.split() for line in on.see(TableGrid).rstrip().split("\n")]
        assert lines[0][:5] == ["own", "A", "B", "change▼", "function"]
        assert [tuple(line[:4]) for line in lines[1:6]] == [
            ("20%", "50%", "+30.0", "hash"),
            ("30%", "40%", "+10.0", "same"),
            ("0%", "0%", "=", "main"),
            ("10%", "0%", "−10.0", "gone"),  # in no frame of the graph, which is as wide as B
            ("40%", "10%", "−30.0", "parse"),
        ]
        await on.press("b")
        assert on.see(TableGrid).split()[:2] == ["own▼", "%"]
        assert graph(on)[3][0] in ("hash", "parse")


async def test_without_colour_the_signs_are_there(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with compared(stage, (80, 24)) as on:
        text = on.see(Flame)
        assert "+hash" in text
        assert "−par" in text


async def test_a_span_of_which_nothing_is_known_is_no_comparison(stage: Open) -> None:
    async with compared(stage) as on:
        on.app.feed.when.a = Span(1, 2)
        await on.press("right_parenthesis")
        assert graph(on)[3][0] == "hash"
        assert "A nothing before" in str(on.one(FlameFrame).border_title)


def test_changes_in_points() -> None:
    assert [points(each) for each in (30.04, -0.26, 0.04, -0.04)] == ["+30.0", "−0.3", "=", "="]
