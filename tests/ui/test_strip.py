"""When the samples of a stacks view fell, and the flame graph of a part of a second."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ebpftop.frames.messages import AnyFrame, AnyRequest, Load, ViewInfo
from ebpftop.stats.strip import NS
from ebpftop.ui.app.options import Options
from ebpftop.ui.widgets.flame import Flame
from ebpftop.ui.widgets.flame_frame import FlameFrame
from ebpftop.ui.widgets.stacks_panel import StacksPanel
from ebpftop.ui.widgets.strip import CHOSEN, LABEL, StripPlot
from ebpftop.ui.widgets.strip_frame import StripFrame
from ebpftop.ui.widgets.timeline import Timeline
from tests.support.frames import SAMPLES, SECOND, TIMED, moments, process, processes, samples, stacks
from tests.ui.conftest import Open, Stage

BEGIN = 1000 * SECOND
PEOPLE = processes(process(1, "python3"), process(2, "node"))
STACKS = stacks({1: ["main", "idle_loop"], 2: ["main", "burst"]})
FULL, SMALL = (120, 60), (80, 24)


def story(seconds: int = 8) -> list[AnyFrame]:
    """CPU 0 runs a loop; on CPU 1 a burst of 300 ms begins in second 5, a quarter of a second after its start."""
    frames: list[AnyFrame] = []
    loop = burst = 0
    for second in range(seconds):
        begin = BEGIN + second * SECOND
        here = [(begin + at * 20_000_000 + 1_000_000, 0, 1, 1) for at in range(50)]
        if second == 5:
            here += [(begin + 250_000_000 + at * 20_000_000, 1, 2, 2) for at in range(15)]
        loop, burst = loop + 50, burst + len(here) - 50
        frames.append(moments(9, *sorted(here)))
        frames.append(samples(9, second + 1, {(1, 1): loop, (2, 2): burst} if burst else {(1, 1): loop}))
    return frames


@asynccontextmanager
async def profiling(stage: Open, size: tuple[int, int] = FULL, view: ViewInfo = TIMED) -> AsyncIterator[Stage]:
    def answer(request: AnyRequest) -> list[AnyFrame]:
        return [loaded_as(view)] if isinstance(request, Load) else []

    async with stage(options=Options(auto_load=[("cpu/runqlat", {})]), size=size, answer=answer) as on:
        await on.play(PEOPLE, STACKS, *story())
        if size[0] >= 100:
            await on.press("tab")
        yield on


def loaded_as(view: ViewInfo) -> AnyFrame:
    from tests.support.frames import loaded

    return loaded(9, "cpu/runqlat", view)


def plot(on: Stage) -> StripPlot:
    return on.one(StripPlot)


def graph(on: Stage) -> list[str]:
    return on.see(Flame).replace("▏", " ").split()


def title(on: Stage) -> str:
    return str(on.one(FlameFrame).border_title)


async def test_o_shows_the_strip_above_the_graph_and_takes_it_away(stage: Open) -> None:
    async with profiling(stage) as on:
        assert not on.one(StripFrame).display
        await on.press("o")
        assert on.one(StripFrame).display
        assert on.one(FlameFrame).parent.display
        assert plot(on).has_focus
        assert "samples over time · all CPUs" in str(on.one(StripFrame).border_title)
        first = on.see(StripPlot).split("\n")[0]
        assert first.strip().startswith("samples in 50 ms")
        await on.press("o")
        assert not on.one(StripFrame).display
        assert on.one(Flame).has_focus


async def test_a_view_without_single_samples_has_no_strip(stage: Open) -> None:
    """A tape of an earlier version, or a probe that only counts."""
    async with profiling(stage, view=SAMPLES) as on:
        assert not list(on.app.screen.query(StripFrame))
        assert on.one(StacksPanel).has_past is False
        await on.press("o")
        assert title(on) == "CPU samples · since start · 415"


async def test_the_burst_is_found_and_its_graph_holds_it_alone(stage: Open) -> None:
    async with profiling(stage) as on:
        assert [word for word in graph(on) if word in ("idle_loop", "burst")] == ["idle_loop"]
        await on.press("o", "C", "C")
        assert "CPU 1" in str(on.one(StripFrame).border_title)
        strip = plot(on)._strip
        assert strip is not None
        assert strip.counts.sum() == 15
        await on.press("right", "left", "left", "home")
        assert plot(on).picked.start == BEGIN
        await on.press(*["right"] * 5, *["up"] * 5, "V", *["up"] * 5)
        picked = plot(on).picked
        assert (picked.start, picked.end) == (BEGIN + 5 * SECOND + 250_000_000, BEGIN + 5 * SECOND + 550_000_000)
        assert on.see(StripPlot).split("\n")[0].strip().endswith("for 300 ms · 15 samples")
        assert on.see(StripPlot).count(CHOSEN) == 5  # and the cursor
        await on.press("enter")
        assert graph(on) == ["all", "node", "main", "burst"]
        assert "for 300 ms · CPU 1 · one sample each 20 ms · 15" in title(on)
        await on.press("backspace")
        assert "idle_loop" in graph(on)
        await on.press("enter")
        assert graph(on) == ["all", "node", "main", "burst"]
        await on.press("escape")  # the range
        await on.press("escape")  # the cursor
        await on.press("escape")  # the slice
        assert "idle_loop" in graph(on)


async def test_the_strip_stands_still_where_the_cursor_is(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.press("o", "up")
        before = on.see(StripPlot)
        more = story(30)[16:]
        await on.play(*more)
        strip = plot(on)._strip
        assert strip is not None
        assert strip.begin <= plot(on).cursor < strip.end
        assert on.see(StripPlot).split("\n")[0] == before.split("\n")[0]
        await on.press("home")
        assert plot(on).picked.start == BEGIN
        assert strip.begin <= BEGIN + NS


async def test_on_a_small_screen_the_strip_gives_way_to_the_graph(stage: Open) -> None:
    async with profiling(stage, SMALL) as on:
        await on.press("o")
        assert plot(on).has_focus
        assert not on.one(FlameFrame).parent.display
        await on.press("up", "enter")
        assert not on.one(StripFrame).display
        assert on.one(Flame).has_focus
        assert graph(on)[:2] == ["all", "python3"]
        await on.press("backspace")
        assert on.one(StripFrame).display
        assert plot(on).has_focus


async def test_the_focus_goes_to_what_takes_the_place_of_what_had_it(stage: Open) -> None:
    async with profiling(stage, (120, 36)) as on:
        assert on.one(Flame).has_focus
        await on.press("o")
        assert plot(on).has_focus
        await on.press("up", "enter")
        assert on.one(Flame).has_focus
        await on.press("escape")
        assert plot(on).has_focus
        await on.press("o")
        assert on.one(Flame).has_focus


async def test_without_colour_more_samples_are_darker_signs(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with profiling(stage) as on:
        await on.press("o")
        lines = on.see(StripPlot).split("\n")[1:-1]
        dark = [line for line in lines if "█" in line]
        assert len(dark) >= 5  # five or more parts of the second with a burst besides the loop


async def test_the_strip_follows_the_filter_and_the_timeline_the_slice(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.press("o")
        shown = plot(on)
        assert shown._strip is not None
        assert shown._strip.counts.sum() == 8 * 50 + 15
        on.one(Flame).focus()
        await on.press("f", *"node", "enter")
        assert plot(on)._strip.counts.sum() == 15
        assert "matching “node”" in str(on.one(StripFrame).border_title)
        plot(on).focus()
        await on.press("left", "V", "left", "enter")
        part = on.one(StacksPanel).slice
        assert part is not None
        assert on.one(Timeline).state.span == part.span


async def test_the_mouse_chooses_a_range(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.press("o")
        strip = plot(on)._strip
        assert strip is not None
        column, rows = LABEL + (BEGIN + 5 * SECOND - strip.begin) // NS, len(strip.counts)
        await on.pilot.mouse_down(StripPlot, offset=(column, rows - 5))
        await on.pilot.hover(StripPlot, offset=(column, rows - 10))
        await on.pilot.mouse_up(StripPlot, offset=(column, rows - 10))
        await on.pilot.hover(StripPlot, offset=(column - 1, 2))  # let go, it chooses nothing more
        picked = plot(on).picked
        assert (picked.start, picked.end) == (BEGIN + 5 * SECOND + 250_000_000, BEGIN + 5 * SECOND + 550_000_000)


async def test_before_the_first_sample_the_strip_says_so(stage: Open) -> None:
    def answer(request: AnyRequest) -> list[AnyFrame]:
        return [loaded_as(TIMED)] if isinstance(request, Load) else []

    async with stage(options=Options(auto_load=[("cpu/runqlat", {})]), size=FULL, answer=answer) as on:
        await on.play(PEOPLE, samples(9, 1, {}))
        await on.press("tab", "o", "up", "enter")
        assert "no samples yet" in on.see(StripPlot)
