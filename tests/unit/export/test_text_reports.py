import io
from datetime import datetime

import pytest
from msgspec import structs

from ebpftop.export import layout
from ebpftop.frames.messages import AnyFrame, ColumnInfo, Cost, ViewInfo
from tests.support.frames import (
    CALLS,
    EXECS,
    LATENCY,
    columns,
    cost,
    events,
    loaded,
    process,
    processes,
    samples,
    snapshot,
    stacks,
)
from tests.support.headless import HISTOGRAM, LAST, PEOPLE, SAMPLED, calls, latency, ran


def block(text: str, first: str) -> list[str]:
    """The lines from the one that contains `first` to the next empty one."""
    found = text.splitlines()
    start = next(n for n, line in enumerate(found) if first in line)
    end = next((n for n in range(start, len(found)) if not found[n]), len(found))
    return found[start:end]


async def test_a_histogram_with_its_keys_and_losses() -> None:
    result = await ran(HISTOGRAM, LAST, format="text")
    assert result.code == 0
    head, *rest = block(result.out, "lost 2")
    assert head.endswith("  cpu/some · raw · exact · lost 2 · cost 1% of a cpu")
    assert rest[0] == "Run queue latency: 6 values · p50 24–26 ns · p90 24–26 ns · p99 24–26 ns"
    assert rest[1].split() == ["3", "ns", "2", "█" * 33 + "▌"]
    assert rest[-4].split() == ["24–28", "ns", "4", "█" * 67]
    assert [line.split() for line in rest[-3:]] == [
        ["pid", "comm", "count", "p50", "p90", "p99"],
        ["1002", "make", "4", "24–26", "ns", "24–26", "ns", "24–26", "ns"],
        ["1001", "sh", "2", "3", "ns", "3", "ns", "3", "ns"],
    ]


async def test_the_summary_tells_the_whole_run() -> None:
    result = await ran(HISTOGRAM, LAST, format="text")
    summary = result.out[result.out.index("cpu/some in 1.5 s · raw · exact · lost 3 · evicted 1") :]
    assert "Run queue latency: 24 values" in summary
    assert "program time 10 ms, 250 µs per run" in summary
    assert result.out.count("Run queue latency") == 3  # two intervals and the summary, which covers the rest


async def test_estimated_costs_say_how_they_were_measured() -> None:
    before, last = (
        [structs.replace(each, estimated=True) if isinstance(each, Cost) else each for each in frames]
        for frames in (HISTOGRAM, LAST)
    )
    result = await ran(before, last, format="text")
    assert "250 µs per run (estimated: busy programs are timed for a tenth of the time)" in result.out


async def test_the_first_look_at_nothing_is_not_told() -> None:
    result = await ran([loaded(1, "cpu/some", LATENCY), latency(0, [])], format="text")
    assert result.out.splitlines()[0].startswith("cpu/some in 0 ns")


async def test_a_table_is_sorted_cut_and_hides_what_is_hidden() -> None:
    hidden = [*CALLS.columns, ColumnInfo(field="secret", title="Secret", role="gauge", hidden=True)]
    view = ViewInfo(name="calls", map="calls", show="table", title="System calls", columns=hidden, sort="count")
    rows = columns(
        tgid=[1] * 20,
        nr=[f"call{n}" for n in range(20)],
        count=list(range(1, 21)),
        last_ns=[1500] * 20,
        secret=[9] * 20,
    )
    result = await ran([loaded(1, "cpu/some", view), PEOPLE, snapshot(1, 0, {"calls": rows})], format="text")
    told = block(result.out, "cpu/some · raw")[1:]
    assert told[0] == "System calls: 20 rows"
    assert told[1].split() == ["pid", "comm", "Call", "Calls", "Last", "parent", "command"]
    assert told[2].split() == ["1001", "sh", "call19", "20", "1.5", "µs", "init", "/bin/sh", "--x"]
    assert len(told) == 2 + 12 + 1
    assert told[-1] == "… and 8 more"


async def test_events_have_one_header_and_keep_their_columns() -> None:
    def execs(args: str, lost: int = 0) -> AnyFrame:
        return events(1, "events", columns(tgid=[1], args=[args], errno=["ENOENT"]), lost=lost)

    frames = [loaded(1, "cpu/some", EXECS), PEOPLE, execs("long enough"), snapshot(1, 0, {}), execs("x")]
    result = await ran(frames, [snapshot(1, 1, {}), execs("y", lost=7)], format="text")
    found = result.out.splitlines()
    assert found[:3] == [
        " pid  comm  Arguments    Error",
        "1001  sh    long enough  ENOENT",
        "1001  sh    x            ENOENT",
    ]
    assert found[3].endswith("cpu/some · raw · exact · lost 7")
    assert found[4] == "1001  sh    y            ENOENT"
    assert "Programs started: 3 events" in found


async def test_hostile_text_is_inert() -> None:
    view = ViewInfo(name="v", map="v", show="table", title="V\x1b]0;x\x07", columns=[*CALLS.columns[1:3]])
    nasty = "a\x1b[2J\r\n\u202e[bold]"
    frames = [
        loaded(1, "cpu/some", view, meaning="exact\x1b[0m"),
        processes(process(1, nasty)),
        snapshot(1, 0, {"v": columns(nr=[nasty], count=[1])}),
        cost(1, 0, 1, 1),
    ]
    result = await ran(frames, format="text")
    assert all(line.isprintable() for line in result.out.splitlines())
    assert "a\\x1b[2J\\r\\n\\u202e[bold]" in result.out


async def test_numbers_that_name_something_are_written_in_full() -> None:
    view = ViewInfo(
        name="v",
        map="v",
        show="table",
        title="V",
        columns=[ColumnInfo(field="inode", title="inode"), ColumnInfo(field="count", title="n", role="counter")],
    )
    result = await ran(
        [loaded(1, "cpu/some", view), snapshot(1, 0, {"v": columns(inode=[1234567890], count=[1])})], format="text"
    )
    assert "1234567890" in result.out


async def test_without_a_terminal_a_histogram_is_as_wide_as_a_usual_one() -> None:
    result = await ran(HISTOGRAM, LAST, format="text")
    assert max(map(layout.cells, result.out.splitlines())) == 80


async def test_rows_are_cut_and_headings_broken_between_words_where_the_terminal_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heading = block((await ran(HISTOGRAM, LAST, format="text")).out, "lost 2")[0].split()[1:]
    monkeypatch.setattr(layout, "terminal_width", lambda out: 50)
    deep = stacks({12: [f"function_{number}" for number in range(9)]})
    for frames in (HISTOGRAM, [*SAMPLED, deep, samples(1, 2, {(1, 12): 9})]):
        lines = (await ran(frames, format="text")).out.splitlines()
        assert max(map(layout.cells, lines)) == 50
    words = (await ran(HISTOGRAM, LAST, format="text")).out.split()
    assert any(words[at : at + len(heading)] == heading for at in range(len(words)))


async def test_calls_without_a_change_leave_an_empty_table() -> None:
    frames = [loaded(1, "cpu/some", CALLS), calls(0, [(1, "read", 5, 0)]), calls(1, [(1, "read", 5, 0)])]
    result = await ran(frames, format="text")
    assert "System calls: 0 rows" in result.out


# ---------------------------------------------------------------- cells


def test_wide_and_combining_characters_are_counted_as_a_terminal_does() -> None:
    assert [layout.cells(text) for text in ("abc", "日本", "e\u0301", "")] == [3, 4, 1, 0]
    assert layout.left("日", 4) == "日  "
    assert layout.right("日", 4) == "  日"


def test_cut() -> None:
    assert layout.cut("abcdef", 6) == "abcdef"
    assert layout.cut("abcdef", 4) == "abc…"
    assert layout.cut("日本語", 4) == "日…"


def test_a_grid_drops_columns_from_the_right() -> None:
    grid = [
        layout.Column("a", ["1", "22"], True),
        layout.Column("b", ["xxxx", "y"], False),
        layout.Column("c", ["0123456789" * 2, ""], False),
    ]
    assert layout.grid(grid, 40) == [
        " a  b     c                   ",
        " 1  xxxx  01234567890123456789",
        "22  y                         ",
    ]
    assert layout.grid(grid, 24)[1] == " 1  xxxx  0123456789012…"
    assert layout.grid(grid, 18) == [" a  b   ", " 1  xxxx", "22  y   "]
    assert layout.grid(grid, 3) == [" a", " 1", "22"]
    assert layout.grid(grid, 1) == ["a", "1", "…"]


def test_bars_are_exact_to_an_eighth_and_never_vanish() -> None:
    assert layout.bar(0) == ""
    assert layout.bar(0.001) == "▏"
    assert layout.bar(2.5) == "██▌"
    assert layout.bar(2.99) == "███"


def test_a_stream_without_unicode_gets_plain_bars() -> None:
    assert layout.bars_for(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) == "▏▎▍▌▋▊▉█"
    plain = layout.bars_for(io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert layout.bar(2.9, plain) == "##"
    assert layout.bar(3.0, plain) == "###"


async def test_times_are_shown_on_the_clock() -> None:
    view = ViewInfo(
        name="v", map="v", show="events", title="V", columns=[ColumnInfo(field="time", title="time", decode="time")]
    )
    frames = [
        loaded(1, "cpu/some", view),
        events(1, "v", columns(time=[1_700_000_000_123_456_789])),
        snapshot(1, 0, {}),
    ]
    result = await ran(frames, format="text")
    assert result.out.splitlines()[1] == f"{datetime.fromtimestamp(1_700_000_000):%H:%M:%S}.123"


def test_without_a_width_a_grid_has_every_column_and_cuts_nothing() -> None:
    long = "0123456789" * 20
    grid = [layout.Column("a", [long, "x"], False), layout.Column("b", ["y", "z"], False)]
    assert layout.grid(grid, None) == ["a" + " " * 47 + "  b", f"{long}  y", "x" + " " * 47 + "  z"]


async def test_a_place_gets_a_column_of_events_once_somebody_is_there() -> None:
    def execs(*who: int) -> AnyFrame:
        return events(1, "events", columns(tgid=[*who], args=["x"] * len(who), errno=[""] * len(who)))

    people = processes(process(1, "sh"), process(2, "make", container="web", nspid=17))
    result = await ran(
        [loaded(1, "cpu/some", EXECS), people, snapshot(1, 0, {}), execs(1), snapshot(1, 1, {})],
        [execs(2, 1), snapshot(1, 2, {}), execs(1)],
        format="text",
    )
    lines = [line.split() for line in result.out.splitlines() if {"x", "pid"} & {*line.split()}]
    titles = ["pid", "comm", "Arguments", "Error"]
    assert lines == [
        titles,
        ["1001", "sh", "x"],
        [*titles, "container", "nspid"],
        ["1002", "make", "x", "web", "17"],
        ["1001", "sh", "x"],
        ["1001", "sh", "x"],
    ]


async def test_keys_of_a_histogram_tell_where_processes_run_if_one_does() -> None:
    people = processes(process(1, "sh"), process(2, "make", pod="shop/cart-0"))
    result = await ran([loaded(1, "cpu/some", LATENCY), people, latency(0, [(1, 3, 2), (2, 24, 4)])], format="text")
    rows = [line.split() for line in result.out.splitlines() if line.split()[:1] in (["pid"], ["1001"], ["1002"])]
    assert [row[:3] for row in rows[:3]] == [
        ["pid", "comm", "pod"],
        ["1002", "make", "shop/cart-0"],
        ["1001", "sh", "2"],
    ]
