"""Pure drawing: bars, sparklines, widths, plots."""

from __future__ import annotations

import math

import pytest

from ebpftop.ui.drawing.code import Code
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.line import fit, piece
from ebpftop.ui.drawing.plot import Curve, time_series
from ebpftop.ui.widgets.columns import GridColumn, lay_out
from ebpftop.ui.widgets.grid import bar
from ebpftop.ui.widgets.runs import in_sight
from ebpftop.ui.widgets.sparkline import sparkline


def test_tabs_are_shown_from_the_first_on_as_long_as_the_current_one_is_among_them() -> None:
    assert list(in_sight([5, 5, 5], 0, 15)) == [0, 1, 2]
    assert list(in_sight([5, 5, 5], 0, 14)) == [0, 1]
    assert list(in_sight([5, 5, 5], 2, 14)) == [1, 2]
    assert list(in_sight([5, 5, 5], 1, 4)) == [1]
    assert list(in_sight([], 0, 4)) == []


def test_the_last_columns_go_before_a_path_is_cut_short_of_being_readable() -> None:
    path, more = GridColumn("path", "path", least=12, most=160, stretch=True), GridColumn("more", "more", least=10)
    columns = [A, path, more]
    seen = {"a": 4, "path": 90, "more": 4}
    assert {c.name: w for c, w in lay_out(columns, seen, 46)} == {"a": 4, "path": 28, "more": 10}
    assert {c.name: w for c, w in lay_out(columns, seen, 45)} == {"a": 4, "path": 39}
    assert {c.name: w for c, w in lay_out(columns, seen, 20)} == {"a": 4, "path": 14}
    assert {c.name: w for c, w in lay_out(columns, {"a": 4, "path": 13}, 31)} == {"a": 4, "path": 13, "more": 10}


@pytest.mark.parametrize(
    ("share", "drawn"), [(0, ""), (0.0001, "▏"), (0.5, "█████"), (0.55, "█████▌"), (1, "██████████"), (7, "██████████")]
)
def test_a_bar_is_drawn_in_eighths(share: float, drawn: str) -> None:
    assert bar(share, 10) == drawn


def test_a_sparkline_goes_from_zero_to_its_top() -> None:
    assert sparkline([0, 1, 4, 8], 6) == "  ▁▁▄█"
    assert sparkline([50, math.nan, 100], 3, 100) == "▄ █"
    assert sparkline([0, 0], 2) == "▁▁"
    assert sparkline([1, 2, 3, 4], 2) == "▆█"


def test_the_least_important_pieces_go_first() -> None:
    left, right = [piece("name", rank=1), piece("kernel", rank=9)], [piece("live")]
    assert fit(left, right, 30).plain == "name   kernel" + " " * 13 + "live"
    assert fit(left, right, 15).plain == "name       live"
    assert fit(left, right, 5).plain == " live"


A, B, BAR_, C = (
    GridColumn("a", "a", least=4, most=20),
    GridColumn("b", "b", numeric=True, least=4),
    GridColumn("bar", "", least=10, most=24, stretch=True),
    GridColumn("c", "c", least=8, most=99, stretch=True),
)


def widths(width: int, **seen: int) -> dict[str, int]:
    return {column.name: cells for column, cells in lay_out([A, B, BAR_, C], seen, width)}


def test_what_is_left_goes_to_the_columns_that_stretch_the_first_one_first() -> None:
    assert widths(80, a=6, b=5) == {"a": 6, "b": 5, "bar": 24, "c": 39}


def test_texts_are_cut_before_a_column_goes_and_numbers_never() -> None:
    assert widths(20, a=12, b=4) == {"a": 4, "b": 4, "c": 8}
    assert widths(19, a=12, b=4) == {"a": 12, "b": 4}
    assert widths(14, a=12, b=7) == {"a": 5, "b": 7}
    assert widths(3, a=12, b=7) == {"a": 3}


def test_a_bar_takes_only_room_that_no_column_needs() -> None:
    assert widths(40, a=12, b=4) == {"a": 12, "b": 4, "bar": 10, "c": 8}
    assert widths(39, a=12, b=4) == {"a": 12, "b": 4, "c": 19}
    assert widths(60, a=12, b=4, c=90) == {"a": 12, "b": 4, "bar": 10, "c": 28}
    assert widths(59, a=12, b=4, c=90) == {"a": 12, "b": 4, "c": 39}
    assert widths(28, b=4) == {"a": 4, "b": 4, "c": 16}


def test_an_empty_column_yields_first_unless_its_priority_is_above_0() -> None:
    plain, kept = GridColumn("r", "r", least=8), GridColumn("r", "r", least=8, priority=1)
    low = GridColumn("low", "low", least=8, priority=-1)
    seen = {"a": 4, "low": 8}
    assert [column.name for column, _ in lay_out([A, plain, low], seen, 14)] == ["a", "low"]
    assert [column.name for column, _ in lay_out([A, kept, low], seen, 14)] == ["a", "r"]


def test_a_plot_fills_its_cells_and_writes_its_ticks() -> None:
    times = [float(second) for second in range(-30, 1)]
    drawn = time_series(times, [Curve([10.0] * 31, None)], 60, 10, tick=lambda value: f"{value:g} ms")
    lines = drawn.plain.split("\n")
    assert len(lines) == 10
    assert max(len(line.rstrip()) for line in lines) <= 60
    assert lines[0].startswith("10 ms┤")
    assert "0 ms┤" in drawn.plain
    assert lines[-1].split() == ["−30", "s", "−15", "s", "now"]


def test_a_logarithmic_plot_has_powers_of_ten() -> None:
    drawn = time_series([-1.0, 0.0], [Curve([3e3, 4e6], None)], 60, 12, tick="{:.0e}".format, logarithmic=True)
    assert [line.split("┤")[0].strip() for line in drawn.plain.split("\n") if "┤" in line] == [
        "1e+07",
        "1e+06",
        "1e+05",
        "1e+04",
        "1e+03",
    ]


def test_nothing_known_draws_nothing() -> None:
    assert time_series([-1.0, 0.0], [Curve([math.nan, math.nan], None)], 60, 10, tick=str).plain == ""


def test_control_and_format_characters_become_escapes() -> None:
    assert inert("plain é 漢") == "plain é 漢"
    assert inert("\x1b[31m\tx\x00\u202e\x9b\n") == "\\x1b[31m x\\x00\\u202e\\x9b\\n"


def test_a_line_of_c_is_highlighted_when_it_is_asked_for() -> None:
    code = Code("int a; // one\n/* two\nthree */\n\tu64 b = 7;\n\n")
    assert len(code) == 5
    assert code.highlighted == 0
    assert code.line(2).plain == "three */"
    assert code.highlighted == 3
    looks = [
        [(line.plain[span.start : span.end], span.style) for span in line.spans] for line in map(code.line, range(5))
    ]
    assert looks == [
        [("int a; // one", "$text"), ("int", "$primary"), ("// one", "$quiet italic")],
        [("/* two", "$text"), ("/* two", "$quiet italic")],
        [("three */", "$text"), ("three */", "$quiet italic")],
        [("    u64 b = 7;", "$text"), ("7", "$secondary")],
        [],
    ]
    assert Code("").line(0).plain == ""
    assert Code("a\x1b[31m").line(0).plain == "a\\x1b[31m"
