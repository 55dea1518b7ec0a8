from itertools import pairwise

import numpy as np

from ebpftop.stats.flame import Node, Paths, grow, growth, lay_out

A, B, C, D = range(4)


def paths(*rows: tuple[list[int], int]) -> Paths:
    return Paths.of([np.array(path, np.int64) for path, _ in rows], np.array([value for _, value in rows], np.int64))


def told(node: Node) -> tuple[object, ...]:
    """(frame, value, own, children)"""
    return (node.frame, node.value, node.own, *[told(child) for child in node.children])


def test_equal_beginnings_are_one_frame_and_values_add_up() -> None:
    tree = grow(paths(([A, B], 3), ([A, B, C], 5), ([A, D], 11), ([A, B], 2), ([D], 1), ([], 7)))
    assert told(tree) == (-1, 29, 7, (A, 21, 0, (D, 11, 11), (B, 10, 5, (C, 5, 5))), (D, 1, 1))


def test_a_tree_can_begin_at_a_frame() -> None:
    rows = paths(([A, B, C], 5), ([A, B], 2), ([A, D], 11), ([B], 3))
    assert told(grow(rows, root=(A, B))) == (B, 7, 2, (C, 5, 5))
    assert told(grow(rows, root=(C,))) == (C, 0, 0)


def test_what_is_too_small_is_left_out_with_all_below() -> None:
    tree = grow(paths(([A, B, C], 5), ([A, D], 11), ([B], 3)), least=6)
    assert told(tree) == (-1, 19, 0, (A, 16, 0, (D, 11, 11)))


def test_the_first_frame_can_be_given_apart() -> None:
    rows = paths(([], 3), ([A, B], 2)).headed(np.array([D, C]))
    assert told(grow(rows)) == (-1, 5, 0, (D, 3, 3), (C, 2, 0, (A, 2, 0, (B, 2, 2))))


def test_symbols_can_turn_out_to_be_the_same() -> None:
    rows = paths(([A, B], 2), ([A, C], 3)).renamed(np.array([D, A, A]))
    assert told(grow(rows)) == (-1, 5, 0, (D, 5, 0, (A, 5, 5)))


def test_values_of_an_earlier_time_add_up_as_well() -> None:
    rows = Paths.of([np.array(path) for path in ([A, B], [A, C], [D])], np.array([3, 0, 5]), np.array([2, 7, 0]))
    tree = grow(rows.headed(np.array([C, C, D])))
    assert (tree.before, [(node.frame, node.value, node.before) for node in tree.children]) == (
        9,
        [(D, 5, 0), (C, 3, 9)],
    )
    (main,) = tree.children[1].children
    assert (main.value, main.before, [(node.frame, node.before) for node in main.children]) == (3, 9, [(B, 2)])


def test_growth_is_of_the_share_and_not_of_the_number() -> None:
    assert growth(20, 200, 10, 100) == 0
    assert growth(3_000, 10_000, 1_000, 10_000) > 0.7
    assert growth(1_000, 10_000, 3_000, 10_000) < -0.7
    assert growth(5_000, 10_000, 0, 10_000) == 1
    assert growth(0, 10_000, 5_000, 10_000) == -1
    assert growth(5, 10, 0, 0) == growth(0, 0, 5, 10) == 0


def test_no_paths() -> None:
    none = Paths.of([], np.zeros(0, np.int64))
    assert told(grow(none)) == (-1, 0, 0)
    assert lay_out(grow(none), 10) == []
    assert none.through(np.array([True])) == 0
    assert [each.tolist() for each in none.totals(1)] == [[0], [0]]


def test_a_symbol_counts_once_a_path_however_often_it_recurs() -> None:
    own, total = paths(([A, B, A], 3), ([B], 5), ([A, B, B], 7)).totals(4)
    assert own.tolist() == [3, 12, 0, 0]
    assert total.tolist() == [10, 15, 0, 0]


def test_the_value_through_wanted_symbols() -> None:
    rows = paths(([A, B, A], 3), ([B, C], 5), ([D], 7)).take(np.array([1, 2, 0]))
    assert rows.through(np.array([True, False, True, False])) == 8
    assert rows.through(np.zeros(4, bool)) == 0


def test_a_tree_holds_no_more_than_a_screen_can_show() -> None:
    random = np.random.default_rng(7)
    many = Paths.of([random.integers(0, 50, 64) for _ in range(2_000)], np.ones(2_000, np.int64))
    level, most = [grow(many, many.total // 200)], 0
    while level := [child for node in level for child in node.children]:
        most = max(most, len(level))
    assert 0 < most <= 200


def cells(tree: Node, width: int) -> list[list[tuple[int, int, int | None]]]:
    return [[(c.start, c.end, c.node.frame if c.node else None) for c in line] for line in lay_out(tree, width)]


def test_frames_are_as_wide_as_their_value_the_greatest_left() -> None:
    tree = grow(paths(([A, B], 25), ([A, C], 50), ([D], 25)))
    assert cells(tree, 40) == [[(0, 40, -1)], [(0, 30, A), (30, 40, D)], [(0, 20, C), (20, 30, B)]]


def test_frames_narrower_than_a_cell_are_told_together() -> None:
    tree = grow(paths(([A], 900), *(([B + n], 5) for n in range(20))))
    assert cells(tree, 10)[1] == [(0, 9, A), (9, 10, None)]
    assert cells(grow(paths(([A], 999), ([B], 1))), 10)[1] == [(0, 10, A)]


def test_a_frame_of_a_cell_or_more_always_has_one() -> None:
    tree = grow(paths(*(([n], 10) for n in range(9)), ([A, B], 7)))
    (_, line, *_) = lay_out(tree, 9)
    assert all(cell.end > cell.start for cell in line)
    assert all(left.end == right.start for left, right in pairwise(line))


def test_own_value_leaves_its_cells_free_below() -> None:
    assert cells(grow(paths(([A], 10), ([A, B], 10))), 8) == [[(0, 8, -1)], [(0, 8, A)], [(0, 4, B)]]


def test_shares_of_two_periods_and_their_change() -> None:
    """[A, B] goes from three quarters to a quarter, [A, C] the other way; D is there in the first period alone."""
    before, after = np.array([60, 20, 20]), np.array([50, 150, 0])
    rows = Paths.of([np.array(path) for path in ([A, B], [A, C], [D])], after, before)
    shares = rows.shares(4)
    assert shares.own_before.tolist() == [0, 60, 20, 20]
    assert shares.own.tolist() == [0, 25, 75, 0]
    assert shares.own_change.tolist() == [0, -35, 55, -20]
    assert shares.total_before.tolist() == [80, 60, 20, 20]
    assert shares.total_change.tolist() == [20, -35, 55, -20]


def test_shares_without_an_earlier_period_have_grown_from_nothing() -> None:
    shares = paths(([A, B], 3), ([A], 1)).shares(2)
    assert (shares.own_before.tolist(), shares.own.tolist()) == ([0, 0], [25, 75])
    assert paths().shares(2).own.tolist() == [0, 0]
