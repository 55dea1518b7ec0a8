"""What is selected in one view narrows every view of every running probe, live and on a tape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ebpftop.frames.messages import AnyFrame, Process
from ebpftop.frames.tape import TapeWriter
from ebpftop.frames.tape_source import TapeSource
from ebpftop.ui.app.app import EbpftopApp
from ebpftop.ui.app.options import Options
from ebpftop.ui.screens.choosing import Choosing
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.process import ProcessScreen
from ebpftop.ui.widgets.events import EventList
from ebpftop.ui.widgets.flame import Flame
from ebpftop.ui.widgets.flame_frame import FlameFrame
from ebpftop.ui.widgets.histogram import HistogramBars
from ebpftop.ui.widgets.panel import ViewPanel
from ebpftop.ui.widgets.table_grid import TableGrid
from ebpftop.ui.widgets.trail import Trail
from tests.support.frames import LATENCY, SECOND, catalog, hello, loaded, process, processes
from tests.ui.conftest import Open, Stage
from tests.ui.probes import BY_CALL, BY_PROCESS, EXECS, PROBES, RUN, calls, execs, latencies
from tests.ui.test_stacks import THEN, graph, profiling

READER, BACKUP, LOGGER = 1, 2, 3


def person(number: int, comm: str, user: str) -> Process:
    return process(number, comm, user=user)


PEOPLE = processes(person(READER, "reader", "www"), person(BACKUP, "backup", "root"), person(LOGGER, "backup", "log"))
THREE = Options(auto_load=[("cpu/syscount", {}), ("cpu/runqlat", {}), ("cpu/execsnoop", {})])


def counted(seq: int) -> list[AnyFrame]:
    """Each process calls so many times a second: 10, 200, 3000; and waits as often."""
    per = {READER: 10, BACKUP: 200, LOGGER: 3000}
    return [
        calls(seq, {number: seq * count for number, count in per.items()}, {"read": seq, "write": 2 * seq}),
        latencies(seq, {number: {20_000 * number: seq * count} for number, count in per.items()}),
    ]


def names(table: TableGrid) -> list[str]:
    (name,) = [column for column in table.columns if column.name.endswith(".comm")]
    return [table.cell(row, name) for row in range(table.count)]


async def bring(on: Stage, probe: str) -> ViewPanel:
    dashboard = on.app.dashboard
    await dashboard.bring(RUN[probe], focus=True)
    await on.settle()
    assert dashboard.panel is not None
    return dashboard.panel


def titles(panel: ViewPanel) -> list[str]:
    return [str(frame.border_title) for frame in panel.query("Framed") if frame.border_title]


async def test_a_row_narrows_all_views_of_all_probes_and_is_taken_back(stage: Open) -> None:
    async with stage(PEOPLE, options=THREE) as on:
        await on.play(*counted(1), *counted(2), execs([(BACKUP, "/bin/a"), (READER, "/bin/b"), (BACKUP, "/bin/c")]))
        assert not on.one(Trail).display
        panel = await bring(on, "cpu/syscount")
        table = panel.query_one(TableGrid)
        assert names(table) == ["backup", "backup", "reader"]
        await on.press("down", "down", "full_stop")
        assert on.see(Trail).split("   ")[0] == "only backup 1002"
        assert names(table) == ["backup"]
        await on.press("n")
        assert on.app.dashboard.panel is not None
        assert titles(on.app.dashboard.panel)[0].startswith("System calls by name · not by process · ")
        assert on.app.dashboard.panel.query_one(TableGrid).count == 2
        panel = await bring(on, "cpu/runqlat")
        assert titles(panel)[0].startswith("Run queue latency · only backup 1002 · ")
        assert panel.query_one(HistogramBars).state.shown.count == 200
        assert names(panel.query_one(TableGrid)) == ["backup"]
        panel = await bring(on, "cpu/execsnoop")
        assert panel.query_one(EventList).count == 2
        assert "2 of 3 events" in titles(panel)[0]
        await on.play(*counted(3), execs([(READER, "/bin/d"), (BACKUP, "/bin/e")]))
        assert panel.query_one(EventList).count == 3
        panel = await bring(on, "cpu/runqlat")
        await on.press("down", "full_stop")
        assert not on.one(Trail).display
        assert panel.query_one(HistogramBars).state.shown.count == 3210
        panel = await bring(on, "cpu/execsnoop")
        assert panel.query_one(EventList).count == 5


async def test_the_past_is_narrowed_as_the_present_is(stage: Open) -> None:
    async with stage(PEOPLE, options=THREE) as on:
        for seq in range(1, 12):
            await on.play(*counted(seq))
        panel = await bring(on, "cpu/runqlat")
        await on.press("down", "down", "down", "full_stop")
        bars = panel.query_one(HistogramBars)
        assert bars.state.shown.count == 10
        await on.press("space", "left_curly_bracket", "right_curly_bracket", "right_curly_bracket")
        assert bars.state.shown.count in (20, 40)
        assert bars.state.shown.count == 10 * round(on.app.feed.when.wanted.seconds)
        assert names(panel.query_one(TableGrid)) == ["reader"]


async def test_backspace_widens_by_one_step_and_an_exclamation_mark_turns_the_last(stage: Open) -> None:
    async with stage(PEOPLE, options=THREE) as on:
        await on.play(*counted(1), *counted(2))
        panel = await bring(on, "cpu/syscount")
        table = panel.query_one(TableGrid)
        await on.press("down", "colon")
        assert isinstance(on.app.screen, Choosing)
        assert [each.title for each in on.app.screen.lines] == ["process", "name", "parent", "user"]
        await on.press("down", "enter")
        assert names(table) == ["backup", "backup"]
        await on.press("home", "full_stop")
        assert on.see(Trail).split("   ")[0] == "only name backup › backup 1003"
        await on.press("exclamation_mark")
        assert on.see(Trail).split("   ")[0] == "only name backup › all but backup 1003"
        assert [row for row in names(table)] == ["backup"]
        assert table.rows.keys["tgid"].tolist() == [BACKUP]
        await on.press("backspace")
        assert table.rows.keys["tgid"].tolist() == [BACKUP, LOGGER]
        await on.press("backspace")
        assert len(names(table)) == 3
        assert not on.one(Trail).display
        await on.press("backspace")  # nothing to widen
        assert isinstance(on.app.screen, Dashboard)


async def test_an_event_offers_its_dimensions_and_twice_the_key_is_its_process(stage: Open) -> None:
    async with stage(PEOPLE, options=THREE) as on:
        await on.play(*counted(1), execs([(BACKUP, "/bin/a"), (READER, "/bin/b"), (LOGGER, "/bin/a")]))
        panel = await bring(on, "cpu/execsnoop")
        events = panel.query_one(EventList)
        await on.press("home", "full_stop")
        assert isinstance(on.app.screen, Choosing)
        assert [(each.title, each.text) for each in on.app.screen.lines] == [
            ("process", "backup 1002"),
            ("program", "/bin/a"),
            ("name", "backup"),
            ("parent", "init 1"),
            ("user", "root"),
        ]
        await on.press("escape")
        assert not on.app.feed.selection
        await on.press("full_stop", "full_stop")
        assert on.see(Trail).split("   ")[0] == "only backup 1002"
        assert events.count == 1
        await on.press("backspace", "home", "full_stop", "down", "enter")
        assert on.see(Trail).split("   ")[0] == "only program /bin/a"
        assert events.count == 2
        panel = await bring(on, "cpu/runqlat")
        assert " · not by program · all" in titles(panel)[0]


async def test_a_view_without_any_such_row_says_so(stage: Open) -> None:
    async with stage(PEOPLE, options=THREE) as on:
        await on.play(*counted(1), *counted(2), execs([(BACKUP, "/bin/a")]))
        await bring(on, "cpu/syscount")
        await on.press("end", "full_stop")
        assert on.see(Trail).split("   ")[0] == "only reader 1001"
        panel = await bring(on, "cpu/execsnoop")
        assert "nothing matches the selection" in panel.query_one(EventList).render_line(1).text
        assert "0 of 1 event" in titles(panel)[0]


async def test_a_selected_process_that_ends_stays_selected(stage: Open) -> None:
    async with stage(PEOPLE, options=THREE) as on:
        await on.play(*counted(1), *counted(2))
        panel = await bring(on, "cpu/syscount")
        await on.press("end", "full_stop")
        await on.play(processes(process(READER, "reader", user="www", ended_ns=5)), calls(3, {BACKUP: 1}))
        assert on.see(Trail).split("   ")[0] == "only reader 1001"
        assert names(panel.query_one(TableGrid)) == ["reader (ended)"]


async def test_another_stream_keeps_names_but_no_processes(stage: Open) -> None:
    async with stage(PEOPLE, options=THREE) as on:
        await on.play(*counted(1), *counted(2))
        await bring(on, "cpu/syscount")
        await on.press("home", "colon", "down", "enter", "home", "full_stop")
        assert [each.dimension for each in on.app.feed.selection.choices] == ["name", "process"]
        await on.play(hello(boot_realtime_ns=1), catalog(*PROBES))
        assert [each.dimension for each in on.app.feed.selection.choices] == ["name"]


async def test_a_function_is_selected_in_the_graph_and_backspace_first_unzooms(stage: Open) -> None:
    async with profiling(stage) as on:
        whole = sum(THEN.values())
        flame = on.one(Flame)
        await on.press("t", "t", "t", "home", "down", "down", "down", "full_stop")  # all, python3, main, parse
        assert on.see(Trail).startswith("only function parse ")
        assert flame.state.paths.total == THEN[1, 1] + THEN[1, 2]
        assert graph(on)[1:4] == [["python3"], ["main"], ["parse"]]
        await on.press("enter")
        assert flame.zoom
        await on.press("backspace")
        assert not flame.zoom
        assert on.app.feed.selection
        await on.press("backspace")
        assert not on.app.feed.selection
        assert flame.state.paths.total == whole


async def test_an_owner_of_stacks_is_selected_by_name_where_it_is_several(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.press("t", "t", "t", "home", "down", "full_stop")
        (choice,) = on.app.feed.selection.choices
        assert (choice.dimension, choice.value) == ("name", "python3")
        assert graph(on)[1] == ["python3"]
        assert str(on.one(FlameFrame).border_title).startswith("CPU samples · ")


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_the_path_leaves_room_for_the_view(stage: Open, size: tuple[int, int]) -> None:
    async with stage(PEOPLE, options=THREE, size=size) as on:
        await on.play(*counted(1), *counted(2))
        panel = await bring(on, "cpu/runqlat")
        before = panel.size.height
        await on.press("down", "full_stop")
        assert panel.size.height == before - 1
        assert on.one(Trail).region.height == 1
        assert panel.query_one(TableGrid).size.height >= 2


async def test_a_tape_is_narrowed_too_and_stays_so_until_its_next_stream(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    story: list[AnyFrame] = [
        hello(),
        catalog(*PROBES),
        PEOPLE,
        loaded(RUN["cpu/syscount"], "cpu/syscount", BY_PROCESS, BY_CALL),
        loaded(RUN["cpu/runqlat"], "cpu/runqlat", LATENCY),
        loaded(RUN["cpu/execsnoop"], "cpu/execsnoop", EXECS),
    ]
    clock = iter(range(0, 10_000 * SECOND, SECOND // 2))
    with TapeWriter(path, clock=lambda: next(clock)) as writer:
        for frame in (*story, *(each for seq in range(1, 20) for each in counted(seq))):
            writer.write(frame)
        for frame in (hello(boot_realtime_ns=1), catalog(*PROBES), processes(process(READER, "nginx"))):
            writer.write(frame)
    app = EbpftopApp(TapeSource(path, paused=True))
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, app.feed.source)

        async def until(done: Callable[[], bool]) -> None:
            while not done():
                await pilot.pause(0.02)
            await on.settle()

        def at(seq: int) -> bool:
            run = app.feed.session.runs.get(RUN["cpu/runqlat"])
            return run is not None and run.last is not None and run.last.seq >= seq

        assert app.feed.playback is not None
        app.feed.playback.seek(12.0)
        await until(lambda: at(6))
        panel = await bring(on, "cpu/syscount")
        await on.press("end", "full_stop")
        assert on.see(Trail).split("   ")[0] == "only reader 1001"
        assert names(panel.query_one(TableGrid)) == ["reader"]
        app.feed.playback.seek(8.0)
        await until(lambda: at(3) and not at(6))
        panel = await bring(on, "cpu/runqlat")
        assert names(panel.query_one(TableGrid)) == ["reader"]
        assert panel.query_one(HistogramBars).state.shown.count == 10
        app.feed.playback.seek(1000.0)
        await until(lambda: READER in app.feed.session.processes and not app.feed.session.runs)
        assert not app.feed.selection


# ---------------------------------------------------------------- rows summed by a dimension


async def group_by(on: Stage, title: str) -> None:
    await on.press("B")
    assert isinstance(on.app.screen, Choosing)
    at = [each.title for each in on.app.screen.lines].index(title)
    await on.press(*["down"] * at, "enter")


async def test_a_table_is_summed_by_name_and_a_group_selected(stage: Open) -> None:
    async with stage(PEOPLE, options=THREE) as on:
        await on.play(*counted(1), *counted(2))
        panel = await bring(on, "cpu/syscount")
        table = panel.query_one(TableGrid)
        await group_by(on, "by name")
        assert titles(panel)[0].startswith("System calls by process · by name · ")
        shown = [[table.cell(row, column) for column in table.columns[:2]] for row in range(table.count)]
        assert shown == [["backup", "3.2 k/s"], ["reader", "10/s"]]
        await on.press("home", "full_stop")
        assert on.see(Trail).split("   ")[0] == "only name backup"
        assert table.count == 1
        await group_by(on, "each row by itself")
        assert names(table) == ["backup", "backup"]


async def test_a_histograms_keys_are_summed(stage: Open) -> None:
    async with stage(PEOPLE, options=THREE) as on:
        await on.play(*counted(1), *counted(2))
        panel = await bring(on, "cpu/runqlat")
        table = panel.query_one(TableGrid)
        await group_by(on, "by user")
        assert titles(panel)[-1].startswith("by user · ")
        users = [column for column in table.columns if column.title == "user"]
        assert sorted(table.cell(row, users[0]) for row in range(table.count)) == ["log", "root", "www"]


async def test_events_are_counted_by_program(stage: Open) -> None:
    async with stage(PEOPLE, options=THREE) as on:
        await on.play(*counted(1), execs([(BACKUP, "/bin/a"), (READER, "/bin/b"), (LOGGER, "/bin/a")]))
        panel = await bring(on, "cpu/execsnoop")
        await group_by(on, "by program")
        table = panel.query_one(TableGrid)
        assert on.app.focused is table
        assert [[table.cell(row, column) for column in table.columns[:2]] for row in range(table.count)] == [
            ["/bin/a", "2"],
            ["/bin/b", "1"],
        ]
        await on.press("home", "full_stop")
        await group_by(on, "each row by itself")
        assert panel.query_one(EventList).count == 2


async def test_sums_of_events_say_how_many_are_no_longer_known(stage: Open) -> None:
    async with stage(PEOPLE, options=THREE) as on:
        log_rows = [(BACKUP, "/bin/a")] * 6_000
        await on.play(*counted(1), execs(log_rows), execs(log_rows))
        panel = await bring(on, "cpu/execsnoop")
        await group_by(on, "by program")
        assert [title for title in titles(panel) if "by program" in title] == [
            "New programs · by program · 2 000 older ones dropped · 1 row"
        ]
        table = panel.query_one(TableGrid)
        assert table.cell(0, table.columns[1]) == "10 000"


async def test_what_has_one_dimension_or_is_stacks_cannot_be_summed(stage: Open) -> None:
    async with profiling(stage) as on:
        await on.press("B")
        assert isinstance(on.app.screen, Dashboard)
        assert on.told() == ["nothing here to group by"]


# ---------------------------------------------------------------- trees

FAMILY = processes(
    process(1, "init", ppid=0, parent=""),
    process(2, "make", ppid=1001, parent="init", cgroup="/user.slice/build.scope"),
    process(3, "cc", ppid=1002, parent="make", cgroup="/user.slice/build.scope/cc"),
    process(4, "ld", ppid=1002, parent="make", cgroup="/user.slice/build.scope/cc"),
    process(5, "cron", ppid=1001, parent="init", cgroup="/system.slice/cron.service"),
)


def tree(table: TableGrid) -> list[str]:
    """The lines of a tree: its names with their signs, and the first number."""
    return [" ".join(table.cell(row, column).rstrip() for column in table.columns[:2]) for row in range(table.count)]


def family(seq: int) -> list[AnyFrame]:
    made = {2: 10 * seq, 3: 300 * seq, 4: 50 * seq, 5: 20 * seq}
    return [calls(seq, made), latencies(seq, {tgid: {8_000: count} for tgid, count in made.items()})]


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_processes_are_summed_along_their_ancestry_and_fold(stage: Open, size: tuple[int, int]) -> None:
    async with stage(FAMILY, options=THREE, size=size) as on:
        await on.play(*family(1), *family(2))
        panel = await bring(on, "cpu/syscount")
        table = panel.query_one(TableGrid)
        await group_by(on, "by parent")
        assert titles(panel)[0].startswith("System calls by process · by parent · ")
        whole = [
            "▾ init 1001 380/s",
            "  ▾ make 1002 360/s",
            "      cc 1003 300/s",
            "      ld 1004 50/s",
            "      (itself) 10/s",
            "    cron 1005 20/s",
        ]
        assert tree(table) == whole
        await on.press("home", "down", "left")
        assert tree(table) == [whole[0], "  ▸ make 1002 360/s", whole[5]]
        await on.play(*family(3))
        assert tree(table) == [whole[0], "  ▸ make 1002 360/s", whole[5]]
        assert table.cursor == 1
        await on.press("right")
        assert tree(table) == whole
        await on.press("down", "down", "left")
        assert tree(table) == [whole[0], "  ▸ make 1002 360/s", whole[5]]
        assert table.cursor == 1
        await on.press("enter")
        assert tree(table) == whole
        await on.press("left", "left")
        assert tree(table) == ["▸ init 1001 380/s"]
        await on.press("f", *"ld", "enter")
        assert tree(table) == [whole[0], whole[1], whole[3]]
        await on.press("escape", "enter", "home", "down", "enter", "S")
        assert tree(table)[:3] == [whole[0], whole[5], "  ▾ make 1002 360/s"]
        assert table.columns[0] in [column for column, _ in table._shown]


async def test_what_a_node_of_a_tree_is_selected_by(stage: Open) -> None:
    async with stage(FAMILY, options=THREE) as on:
        await on.play(*family(1), *family(2))
        panel = await bring(on, "cpu/runqlat")
        table = panel.query_one(TableGrid)
        await group_by(on, "by cgroup")

        names_ = [table.cell(row, table.columns[0]).strip(" ▾▸") for row in range(table.count)]
        assert names_ == ["user.slice", "build.scope", "cc", "(itself)", "system.slice", "cron.service"]
        await on.press("home", "down", "full_stop")
        assert on.see(Trail).split("   ")[0] == "only cgroup /user.slice/build.scope/"
        assert panel.query_one(HistogramBars).state.shown.count == 360
        await on.press("full_stop", "end", "full_stop")
        assert on.see(Trail).split("   ")[0] == "only cgroup /system.slice/cron.service"
        assert panel.query_one(HistogramBars).state.shown.count == 20
        await on.press("backspace")
        await group_by(on, "by parent")
        await on.press("home", "down", "P")
        assert isinstance(on.app.screen, ProcessScreen)


async def test_events_are_counted_along_a_tree(stage: Open) -> None:
    async with stage(FAMILY, options=THREE) as on:
        await on.play(*family(1), execs([(2, "/bin/a"), (3, "/bin/b"), (3, "/bin/a"), (5, "/bin/a")]))
        panel = await bring(on, "cpu/execsnoop")
        await group_by(on, "by parent")
        assert tree(panel.query_one(TableGrid)) == [
            "▾ init 1001 4",
            "  ▾ make 1002 3",
            "      cc 1003 2",
            "      (itself) 1",
            "    cron 1005 1",
        ]
