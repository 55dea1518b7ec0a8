"""The flame graph and the functions of a stacks view."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ebpftop.frames.messages import AnyFrame, AnyRequest, Function, Load, Stack, Stacks, ViewInfo
from ebpftop.model.stacks import StackFrame
from ebpftop.ui.app.options import Options
from ebpftop.ui.screens.row import RowScreen
from ebpftop.ui.widgets.flame import Flame
from ebpftop.ui.widgets.flame_frame import Details, FlameFrame
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.support.frames import SAMPLES, columns, loaded, process, processes, samples, snapshot, stacks
from tests.ui.conftest import Open, Stage, seen

PEOPLE = processes(process(1, "python3"), process(2, "node"), process(3, "python3", ended_ns=7))
STACKS = stacks(
    {
        1: ["main", "parse", "read", "vfs_read_[k]"],
        2: ["main", "parse"],
        3: ["main", "hash"],
        4: ["[no user stack]", "kthread_[k]"],
        5: ["main", ""],
    }
)
FIRST = {(1, 1): 19, (1, 2): 11, (2, 3): 31, (2, 4): 7, (3, 5): 5}
THEN = {**FIRST, (1, 1): 42, (2, 3): 34}


@asynccontextmanager
async def profiling(
    stage: Open, view: ViewInfo = SAMPLES, size: tuple[int, int] = (120, 36), frames: tuple[AnyFrame, ...] = ()
) -> AsyncIterator[Stage]:
    def answer(request: AnyRequest) -> list[AnyFrame]:
        return [loaded(9, "cpu/runqlat", view)] if isinstance(request, Load) else []

    async with stage(options=Options(auto_load=[("cpu/runqlat", {})]), size=size, answer=answer) as on:
        await on.play(PEOPLE, STACKS, *(frames or (samples(9, 1, FIRST), samples(9, 2, THEN))))
        if size[0] >= 100:
            await on.press("tab")
        yield on


def graph(on: Stage) -> list[list[str]]:
    """The names on each line of the graph."""
    return [line.replace("▏", " ").split() for line in on.see(Flame).rstrip().split("\n")]


def title(on: Stage) -> str:
    return str(on.one(FlameFrame).border_title)


async def test_frames_stand_below_their_callers_the_greatest_left(stage: Open) -> None:
    async with profiling(stage) as on:
        assert graph(on) == [
            ["all"],
            ["python3", "node"],
            ["main", "main", "[no", "…"],
            ["parse", "[un…", "hash", "kthr…"],
            ["read"],
            ["vfs_read"],
        ]
        assert title(on) == "CPU samples · since start · 99"


async def test_the_window_is_the_last_seconds_or_all_the_time(stage: Open) -> None:
    later = {**THEN, (1, 1): 44, (2, 3): 47}
    async with profiling(stage) as on:
        await on.play(samples(9, 31, later))
        assert title(on) == "CPU samples · last 29 s · 15"  # nobody looked in between
        assert graph(on) == [["all"], ["node", "python3"], ["main", "main"], ["hash", "parse"], ["read"], ["vfs_read"]]
        await on.play(samples(9, 34, {**later, (2, 3): 52}), samples(9, 38, {**later, (2, 3): 54}))
        assert title(on) == "CPU samples · last 7 s · 7"
        await on.play(samples(9, 42, {**later, (2, 3): 54, (1, 2): 12}))
        assert title(on) == "CPU samples · last 11 s · 8"
        await on.play(samples(9, 49, {**later, (2, 3): 54, (1, 2): 13}))
        assert title(on) == "CPU samples · last 11 s · 2"
        await on.press("t", "t", "t")
        assert title(on) == "CPU samples · since start · 123"
        await on.press("t")
        assert title(on) == "CPU samples · last 11 s · 2"


async def test_a_process_that_just_began_to_burn_cpu_fills_the_graph(stage: Open) -> None:
    long = {(1, 1): 90_000}
    async with profiling(stage, frames=(samples(9, 1, {(1, 1): 3}), samples(9, 900, long))) as on:
        for second in range(901, 913):
            await on.play(samples(9, second, {**long, (2, 3): 49 * (second - 900)}))
        assert graph(on) == [["all"], ["node"], ["main"], ["hash"]]
        await on.press("down", "down")
        assert on.see(Details).startswith("node   in node 1002   490   100% of total")


async def test_the_line_below_tells_of_the_frame_under_the_cursor(stage: Open) -> None:
    async with profiling(stage) as on:
        assert on.see(Details).startswith("↓ enters the graph")
        await on.press("down", "down")
        assert on.see(Details).startswith("python3   in 2 processes   58   58.6% of total")
        await on.press("down", "down")
        assert on.see(Details) == "parse   in python3 1001   53   53.5% of total   91.4% of main   11.1% own"
        await on.press("end")
        assert on.see(Details).startswith("vfs_read   in python3 1001   42   42.4% of total   100% of read   42.4% own")
        await on.press("up", "up", "right")
        assert on.see(Details).startswith("[unknown] libc.so.6   in python3 1003   5   5.05% of total")
        await on.press("right", "right")
        assert on.see(Details).startswith("kthread   in node 1002   7")
        await on.press("up")
        assert on.see(Details).startswith(
            "[no user stack]   in node 1002   7   7.07% of total   17.1% of node   0% own"
        )


async def test_the_place_of_a_function_is_told_where_there_is_room(stage: Open) -> None:
    async with profiling(stage, size=(160, 36)) as on:
        await on.press("down", "down", "down", "down")
        assert on.see(Details).endswith("   11.1% own   /bin/app+0x5")


async def test_ebpftops_own_processes_are_left_out_and_the_title_says_so(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.play(processes(process(2, "ebpftop:collect", own=True)), samples(9, 3, THEN))
        assert graph(on)[1] == ["python3"]
        assert title(on) == "CPU samples · since start · 58 · without ebpftop's own 41 (M)"
        await on.press("M")
        assert graph(on)[1] == ["python3", "ebpftop:collect", "(own)"]
        assert title(on) == "CPU samples · since start · 99"


async def test_enter_zooms_and_backspace_and_escape_zoom_out(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.press("down", "down", "right", "enter")
        assert graph(on) == [["all"], ["node"], ["main", "[no", "user", "sta…"], ["hash", "kthread"]]
        assert title(on).endswith("zoomed into node")
        await on.press("down", "enter")
        assert graph(on) == [["all"], ["node"], ["main"], ["hash"]]
        await on.press("backspace")
        assert title(on).endswith("zoomed into node")
        await on.press("escape")
        assert graph(on)[1] == ["python3", "node"]
        await on.press("escape", "escape")
        assert not on.one(Flame).has_focus  # nothing is left to undo


async def test_a_click_zooms_in_and_on_a_caller_out(stage: Open) -> None:
    async with profiling(stage) as on:
        flame = on.one(Flame)
        await on.pilot.click(flame, offset=(flame.size.width - 3, 2))
        await on.settle()
        assert graph(on)[2:] == [["[no", "user", "stack]"], ["kthread"]]
        await on.pilot.click(flame, offset=(4, 0))
        await on.settle()
        assert graph(on)[1] == ["python3", "node"]
        assert title(on) == "CPU samples · since start · 99"


async def test_zoom_and_cursor_stay_when_samples_come_and_when_none_do(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.press("down", "down", "right", "enter", "down", "down")
        assert on.see(Details).startswith("hash   in node 1002   34")
        await on.play(samples(9, 3, {**THEN, (2, 3): 47}))
        assert on.see(Details).startswith("hash   in node 1002   47")
        await on.play(samples(9, 60, {**THEN, (2, 3): 60}))
        assert on.see(Details).startswith("hash   in node 1002   13")
        await on.play(samples(9, 90, {**THEN, (2, 3): 60, (1, 2): 13}))
        assert "no events in this interval" in on.see(Flame)
        await on.press("t", "t", "t")
        assert on.see(Details).startswith("hash   in node 1002   60")


async def test_what_is_around_a_zoom_keeps_its_names_when_nothing_of_it_is_left(stage: Open) -> None:
    nothing = ["no", "events", "in", "this", "interval"]
    async with profiling(stage) as on:
        await on.press("down", "down", "right", "down", "down", "enter", "f", *"python3", "enter")
        assert graph(on) == [["all"], ["node"], ["main"], ["hash"], nothing]
        await on.press("up", "up", "enter")
        assert graph(on) == [["all"], ["node"], nothing]
        await on.press("backspace")
        assert graph(on) == [["all"], ["node"], ["main"], ["hash"], nothing]
        await on.press("home")
        assert graph(on)[1] == ["python3"]


async def test_a_search_marks_functions_and_tells_the_share_that_passes_them(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.press("F", *"READ", "enter")
        assert title(on) == "CPU samples · since start · 99 · 49.5% through “READ”"
        assert on.one(Flame).has_focus
        await on.press("escape")
        assert title(on) == "CPU samples · since start · 99"


async def test_a_search_that_begins_at_the_functions_goes_to_the_graph(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.press("u", "F", *"hash", "enter")
        assert title(on).endswith("34.3% through “hash”")
        assert on.one(Flame).has_focus


async def test_the_filter_leaves_the_stacks_of_some_processes(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.press("f", *"1003", "enter")
        assert graph(on) == [["all"], ["python3"], ["main"], ["[unknown]", "libc.so.6"]]
        assert title(on) == "CPU samples · since start · 5 · matching “1003”"
        await on.press("escape")
        assert graph(on)[1] == ["python3", "node"]


async def test_functions_with_their_own_and_total_values(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.press("u")
        table = on.one(TableGrid)
        rows = [[table.cell(row, column) for column in table.columns] for row in range(table.count)]
        assert [row[:5] for row in rows[:4]] == [
            ["42", "42.4%", "42", "42.4%", "vfs_read"],
            ["34", "34.3%", "34", "34.3%", "hash"],
            ["11", "11.1%", "53", "53.5%", "parse"],
            ["7", "7.1%", "7", "7.1%", "kthread"],
        ]
        assert ["0", "0%", "92", "92.9%", "main"] in [row[:5] for row in rows]
        await on.press("f", *"pars", "enter", "down", "enter")
        assert title(on).endswith("53.5% through “parse”")
        assert on.one(Flame).has_focus


async def test_what_grew_and_what_shrank_since_a_moment(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.press("U")
        assert "no events in this interval" in on.see(Flame)
        await on.play(samples(9, 5, {**THEN, (2, 3): 134, (1, 2): 21}))
        assert title(on) == "CPU samples · last 3 s, + more and − less than before · 110"
        assert graph(on)[:4] == [["all"], ["+node", "−pytho…"], ["+main", "−main"], ["+hash", "−parse"]]
        await on.press("down", "down", "end")
        assert on.see(Details).startswith("hash   in node 1002   100   90.9% of total   34.3% before")
        await on.press("U")
        assert title(on) == "CPU samples · since start · 209"
        assert graph(on)[1] == ["node", "python3"]


async def test_graph_and_functions_stand_beside_each_other_where_there_is_room(stage: Open) -> None:
    async with profiling(stage, size=(200, 60)) as on:
        flame, table = on.one(Flame), on.one(TableGrid)
        assert flame.region.right < table.region.x
        await on.press("u")
        assert table.has_focus
        await on.press("u")
        assert flame.has_focus


async def test_at_80_columns_the_graph_has_the_screen(stage: Open) -> None:
    async with profiling(stage, size=(80, 24)) as on:
        assert graph(on)[1] == ["python3", "node"]
        assert on.one(Flame).size.width >= 76
        await on.press("down", "down")
        assert on.see(Details).startswith("python3   in 2 processes   58   58.6% of total")


async def test_a_deep_stack_scrolls_with_the_cursor(stage: Open) -> None:
    deep = stacks({1: [f"f{depth:02}" for depth in range(64)]})
    async with profiling(stage, size=(80, 24), frames=(deep, samples(9, 1, {(1, 1): 3}))) as on:
        await on.press("home")
        assert graph(on)[2] == ["f00"]
        await on.press("end")
        assert graph(on)[-1] == ["f63"]
        assert on.see(Details).startswith("f63   in python3 1001   3   100% of total")
        await on.press("home")
        assert graph(on)[0] == ["all"]


async def test_a_graph_that_is_too_high_begins_where_it_branches(stage: Open) -> None:
    """Functions that each call the next one have the same width, and say little."""
    chain = [f"f{depth:02}" for depth in range(40)]
    deep = stacks({1: [*chain, "hot", "read"], 2: [*chain, "warm"]})
    counts = {(1, 1): 60, (1, 2): 39}
    async with profiling(stage, size=(80, 24), frames=(deep, samples(9, 1, counts))) as on:
        assert graph(on)[-3:] == [["f39"], ["hot", "warm"], ["read"]]
        hidden = 44 - len(graph(on))
        assert on.see(Details).startswith(f"↑ {hidden} callers   ↓ enters the graph")
        await on.play(samples(9, 2, {(1, 1): 60, (1, 2): 139}))
        assert graph(on)[-2] == ["warm", "hot"]
        await on.press("down")
        assert on.see(Details).startswith(graph(on)[0][0])  # the first in sight, and nothing moves
        await on.press("home")
        assert graph(on)[0] == ["all"]
        await on.play(samples(9, 3, {(1, 1): 61, (1, 2): 139}))
        assert graph(on)[0] == ["all"]  # it stays where somebody went


async def test_without_colour_a_sign_tells_kernel_user_and_missing(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with profiling(stage) as on:
        lines = on.see(Flame).split("\n")
        assert lines[1].startswith("║python3═")
        assert lines[2].startswith("│main──")
        assert "┆[no …" in lines[2]
        assert lines[5].startswith("┃vfs_read━━")


async def test_colours_are_the_name_s_own(stage: Open) -> None:
    def background(on: Stage, line: int, name: str) -> object:
        strip = on.one(Flame).render_line(line)
        return next(segment.style.bgcolor for segment in strip if segment.text.startswith(name))

    async with profiling(stage) as on:
        dark = background(on, 2, "main")
        assert {background(on, line, name) == dark for line, name in ((3, "parse"), (5, "vfs_read"))} == {False}
        await on.press("t", "t", "t")
        assert background(on, 2, "main") == dark
        await on.press("T")
        assert background(on, 2, "main") != dark


async def test_names_are_inert(stage: Open) -> None:
    evil = stacks({1: ["\x1b[31mred", "x[bold]"]})
    async with profiling(stage, frames=(evil, samples(9, 1, {(1, 1): 3}))) as on:
        shown = on.see(Flame)
        assert "\x1b" not in shown
        assert "\\x1b[31mred" in shown
        assert "x[bold]" in shown


async def test_what_is_held_is_looked_at_earlier_and_earlier(stage: Open) -> None:
    view = ViewInfo(name="held", map="held", show="stacks", title="Held", unit="bytes", count="bytes", gauge=True)
    frames = [snapshot(9, n, {"held": columns(stack=[2], bytes=[100 * n])}) for n in range(1, 41)]
    async with profiling(stage, view, frames=tuple(frames)) as on:
        assert title(on).endswith("3.91 KiB")
        for held in ("2.93 KiB", "1.95 KiB"):
            await on.press("left_parenthesis")
            assert title(on).endswith(held), title(on)


async def test_stacks_that_are_nobody_s(stage: Open) -> None:
    view = ViewInfo(name="off", map="off", show="stacks", title="Off the CPU", unit="ns", count="total")
    rows = snapshot(9, 1, {"off": columns(stack=[2, 3], total=[5_000_000, 2_000_000])})
    async with profiling(stage, view, frames=(rows,)) as on:
        assert graph(on) == [["all"], ["main"], ["parse", "hash"]]
        assert title(on) == "Off the CPU · since start · 7 ms"
        await on.press("down", "end")
        assert on.see(Details) == "parse   5 ms   71.4% of total   71.4% of main   71.4% own   /bin/app+0x5"


async def test_before_the_first_stack(stage: Open) -> None:
    async with profiling(stage, frames=(samples(9, 1, {}),)) as on:
        assert "no stacks yet" in on.see(Flame)
        await on.press("down", "enter", "end", "left", "F", *"x", "enter", "escape", "u")
        assert on.one(TableGrid).count == 0


async def test_the_functions_keep_their_names_at_180_columns(stage: Open) -> None:
    async with profiling(stage, size=(180, 45)) as on:
        table = on.one(TableGrid)
        assert table.region.width
        assert "function" in table.render_line(0).text
        assert "hash" in seen(table)


LONG = (
    "app::Queue<app::Job<int, std::string>, std::allocator<app::Job<int, std::string> > >::take(app::Job<int> const&)"
)
MANGLED = "_ZN3app5QueueINS_3JobIiSsEESaIS2_EE4takeERKNS_3JobIiEE"


async def test_a_long_name_is_shortened_and_told_whole_with_its_symbol_and_lines(stage: Open) -> None:
    def take(number: int, line: int) -> Function:
        return Function(
            id=number,
            side="user",
            name=LONG,
            symbol=MANGLED,
            module="/bin/app",
            offset=line,
            file="src/q.cc",
            line=line,
        )

    functions = [Function(id=1, side="user", name="main", module="/bin/app"), take(2, 17), take(3, 19)]
    known = Stacks(functions=functions, stacks=[Stack(id=1, functions=[1, 2]), Stack(id=2, functions=[1, 3])])
    frames = known, samples(9, 1, {(1, 1): 1}), samples(9, 2, {(1, 1): 31, (1, 2): 11})
    async with profiling(stage, frames=frames) as on:
        assert "app::Queue<app::Job<…>, std::allocator<…> >::take(app::Job<…> const&)" in on.see(Flame)
        await on.press("end")
        assert on.see(Details).startswith(
            "app::Queue<…>::take(app::Job<…> const&)   in python3 1001   42   100% of total"
        )
        await on.press("w")
        fields = on.app.screen.fields if isinstance(on.app.screen, RowScreen) else []
        assert fields == [
            ("function", LONG),
            ("module", "/bin/app"),
            ("symbol", MANGLED),
            ("source", "src/q.cc:17   31"),
            ("", "src/q.cc:19   11"),
            ("address", "+0x11   31"),
            ("", "+0x13   11"),
        ]
        await on.press("escape", "u", "w")
        fields = on.app.screen.fields if isinstance(on.app.screen, RowScreen) else []
        assert ("function", LONG) in fields
        assert ("source", "src/q.cc:17   31") in fields


async def test_python_functions_are_told_apart_with_and_without_colour(stage: Open) -> None:
    functions = [
        Function(id=1, side="user", name="main", module="/bin/app"),
        Function(id=2, side="python", name="hot", module="app/main.py", file="/srv/app/main.py", line=7),
        Function(id=3, side="python", name="hot", module="app/main.py", file="/srv/app/main.py", line=9),
        Function(id=4, side="python", name="", module="Python"),
    ]
    stacks = [Stack(id=1, functions=[1, 2]), Stack(id=2, functions=[1, 3]), Stack(id=3, functions=[1, 4])]
    counts = {(1, 1): 31, (1, 2): 11, (1, 3): 58}
    known = Stacks(functions=functions, stacks=stacks)
    async with profiling(stage, frames=(known, samples(9, 1, {(1, 1): 1}), samples(9, 2, counts))) as on:
        palette = on.one(Flame)._palette()
        colours = {side: palette.style(StackFrame("f", "m", side)).bgcolor for side in ("user", "python", "kernel")}
        assert len(set(colours.values())) == 3
        on.app.no_color = True
        await on.press("end")
        lines = on.see(Flame).split("\n")
        assert any("│main─" in line for line in lines)
        assert any("▌hot~" in line and "▌[unknown] Python~" in line for line in lines)
        await on.press("right")
        assert "main.py:7 and 1 more line" in on.see(Details)
        await on.press("w")
        fields = on.app.screen.fields if isinstance(on.app.screen, RowScreen) else []
        assert fields == [
            ("function", "hot"),
            ("module", "app/main.py"),
            ("source", "/srv/app/main.py:7   31"),
            ("", "/srv/app/main.py:9   11"),
        ]


async def test_the_lines_of_a_function_are_told_where_there_is_room(stage: Open) -> None:
    functions = [
        Function(id=1, side="user", name="main", module="/bin/app", file="src/main.c", line=70),
        Function(id=2, side="user", name="work", module="/bin/app", file="src/q.c", line=17),
        Function(id=3, side="user", name="work", module="/bin/app", file="src/q.c", line=19),
    ]
    known = Stacks(functions=functions, stacks=[Stack(id=1, functions=[1, 2]), Stack(id=2, functions=[1, 3])])
    async with profiling(
        stage, frames=(known, samples(9, 1, {(1, 1): 1}), samples(9, 2, {(1, 1): 31, (1, 2): 11}))
    ) as on:
        await on.press("end")
        assert "q.c:17 and 1 more line" in on.see(Details)
        await on.press("up")
        assert "   main.c:70" in on.see(Details)


async def test_what_is_missing_says_what_to_do_about_it(stage: Open) -> None:
    functions = [
        Function(id=1, side="missing", name="stack too deep: more than 16 KiB"),
        Function(id=2, side="user", name="[JIT without a map]"),
        Function(id=3, side="user", name="[stripped]", module="/usr/lib/libz.so.1"),
    ]
    known = Stacks(functions=functions, stacks=[Stack(id=1, functions=[1, 2, 3])])
    async with profiling(stage, frames=(known, samples(9, 1, {(1, 1): 1}), samples(9, 2, {(1, 1): 31}))) as on:
        shown = ["[stack too deep: more than 16 KiB]", "[JIT without a map]", "[stripped] libz.so.1"]
        assert all(each in on.see(Flame) for each in shown)
        await on.press("end")
        for label, told in zip(reversed(shown), ("debug symbols", "--perf-basic-prof", "copy=64"), strict=True):
            await on.press("w")
            fields = dict(on.app.screen.fields) if isinstance(on.app.screen, RowScreen) else {}
            assert label in fields.values()
            assert told in fields["why"]
            await on.press("escape", "up")
