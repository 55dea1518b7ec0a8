"""All BPF programs of the machine: read only while they are looked at, the costliest first, whoever's they are."""

from __future__ import annotations

from ebpftop.frames.messages import Holder, Program, Programs, ReadPrograms
from ebpftop.ui.screens.help import HelpScreen
from ebpftop.ui.screens.others import OthersScreen
from ebpftop.ui.screens.row import RowScreen
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid
from tests.ui.conftest import Open, Stage
from tests.ui.test_tape import until

S = 1_000_000_000
EVIL = "x\x1b[2J[b]y"


def read(second: int, runs: int, *, since: int | None = 0) -> Programs:
    """Ours runs ten times as often as theirs, which takes 100 times as long."""
    programs = [
        Program(
            id=number,
            name=name,
            type="kprobe",
            tag="ab" * 8,
            loaded_ns=3 * S,
            run_time_ns=count * each,
            run_count=count,
            jited=2048,
            translated=1024,
            holders=holders,
            own=own,
        )
        for number, name, count, each, holders, own in (
            (7, "on_exit", runs * 10, 100, [Holder(pid=41, comm="ebpftop:collect")], True),
            (8, EVIL, runs, 10_000, [Holder(pid=42, comm=EVIL)], False),
            (9, "", 0, 0, [], False),
        )
    ]
    return Programs(monotonic_ns=second * S, boottime_ns=(second + 1) * S, accounted_since_ns=since, programs=programs)


def requests(on: Stage) -> int:
    return sum(isinstance(each, ReadPrograms) for each in on.source.requests)


def title(on: Stage) -> str:
    return str(on.one(TableFrame).border_title)


def rows(on: Stage) -> list[list[str]]:
    return [line.split("  ") for line in on.see(TableGrid).splitlines() if line.strip()]


def cells(on: Stage) -> list[list[str]]:
    return [[cell.strip() for cell in row if cell.strip()] for row in rows(on)]


async def test_two_readings_make_a_table_with_the_costliest_first(stage: Open) -> None:
    async with stage(size=(140, 30)) as on:
        assert requests(on) == 0
        await on.press("A")
        assert requests(on) == 1
        await on.play(read(10, 0))
        assert "measuring…" in title(on)
        await on.play(read(12, 1000))
        assert "last 2 s" in title(on)
        head, *table = cells(on)
        assert head[:5] == ["program", "CPU▼", "events/s", "per event", "owner"]
        assert table[0][:5] == ["x\\x1b[2J[b]y", "0.5%", "500/s", "10 µs", "x\\x1b[2J[b]y (42)"]
        assert table[1][:5] == ["on_exit", "0.05%", "5 k/s", "100 ns", "ours: ebpftop:collect (41)"]
        assert table[2][:5] == ["–", "0%", "0/s", "–", "pinned or attached, no process"]


async def test_costs_are_unknown_where_run_times_are_not_accounted(stage: Open) -> None:
    async with stage(size=(140, 30)) as on:
        await on.press("A")
        await on.play(read(10, 0, since=None), read(12, 1000, since=None))
        assert "run time accounting is off" in title(on)
        assert "c turns it on" not in title(on)
        assert [row[1:4] for row in cells(on)[1:]] == [["–", "–", "–"]] * 3
        await on.press("c")
        await on.play(read(14, 1000, since=None))
        assert "run time accounting is off: c turns it on" in title(on)


async def test_nothing_is_read_while_the_table_is_out_of_sight(stage: Open) -> None:
    async with stage(size=(140, 30)) as on:
        await on.press("A")
        screen = on.app.screen
        assert isinstance(screen, OthersScreen)
        screen._next = 0.0  # the next reading is due
        await on.press("question_mark")
        assert isinstance(on.app.screen, HelpScreen)
        before = requests(on)
        screen._next = 0.0
        await screen.look()
        assert requests(on) == before
        await on.press("escape", "space")
        before = requests(on)
        screen._next = 0.0
        await screen.look()
        assert requests(on) == before
        assert "paused" in title(on)
        await on.press("space")
        screen._next = 0.0
        await screen.look()
        assert requests(on) > before  # the screen may have looked by itself as well
        await on.press("A")
        await until(on, lambda: not screen.is_running)
        await on.play(read(10, 0))  # an answer that comes too late


async def test_a_row_tells_all_that_is_known_and_the_filter_narrows(stage: Open) -> None:
    async with stage(size=(140, 30)) as on:
        await on.press("A")
        await on.play(read(10, 0), read(11, 1000))
        await on.press("f", *"on_ex")
        await until(on, lambda: [row[0] for row in cells(on)[1:]] == ["on_exit"])
        await on.press("enter")
        await until(on, lambda: on.one(TableGrid).has_focus)
        await on.press("enter")
        await until(on, lambda: isinstance(on.app.screen, RowScreen))
        assert isinstance(on.app.screen, RowScreen)
        fields = dict(on.app.screen.fields)
        assert (fields["id"], fields["runs"], fields["code"]) == ("7", "10 000", "2 KiB")
        assert fields["about"] == "tag abababababababab, held by ebpftop:collect (41)"


async def test_what_a_dead_collector_left_is_not_taken_for_live(stage: Open) -> None:
    async with stage(size=(140, 30)) as on:
        await on.press("A")
        await on.play(read(10, 0), read(12, 1000))
        screen = on.app.screen
        assert isinstance(screen, OthersScreen)
        on.source.end("the collector has ended")
        await on.settle()
        screen._next = 0.0
        before = requests(on)
        await screen.look()
        assert requests(on) == before
        assert "not updated: the collector has ended" in title(on)


async def test_an_error_takes_the_place_of_the_state(stage: Open) -> None:
    async with stage() as on:
        await on.press("A")
        await on.play(Programs(monotonic_ns=0, boottime_ns=0, error="BPF programs can't be listed: EPERM"))
        assert "can't be listed: EPERM" in title(on)


async def test_a_tape_says_that_it_holds_none(stage: Open) -> None:
    async with stage(live=False) as on:
        await on.press("A")
        assert not isinstance(on.app.screen, OthersScreen)
        assert on.told() == ["a tape holds only the programs of its own probes"]
        assert requests(on) == 0
