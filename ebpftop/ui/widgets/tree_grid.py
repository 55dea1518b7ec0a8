"""A table whose rows may form a tree: each node is followed by its parts, which can be folded."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.binding import Binding, BindingType

from ebpftop.frames.columns import Array
from ebpftop.model.trees import KEY
from ebpftop.ui.drawing.theme import CLOSED, OPEN
from ebpftop.ui.widgets.columns import GridColumn
from ebpftop.ui.widgets.grid import ASIDE
from ebpftop.ui.widgets.rows import Rows, TableColumn
from ebpftop.ui.widgets.table_grid import TableGrid, sorted_rows

STEP = 2  # cells by which each level is indented


FOLDING: list[BindingType] = [
    Binding("enter", "fold(None)", "fold", show=False, tooltip="Collapse or expand what is below a row of a tree"),
    Binding("left", "fold(True)", "collapse", show=False),
    Binding("right", "fold(False)", "expand", show=False),
]


class TreeGrid(TableGrid):
    """Folding outlives new rows. A filter unfolds its matches."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *FOLDING,
        *(each for each in TableGrid.BINDINGS if isinstance(each, Binding) and each.key == "enter"),
        *ASIDE,
    ]

    def __init__(self, sort: str | None = None, *, picks: bool = False) -> None:
        super().__init__(sort, picks=picks)
        self.folded: set[str] = set()
        self._inner: Array = np.zeros(0, bool)  # nodes with others below them

    def show(self, rows: Rows) -> None:
        self._inner = ~rows.tree.leaves if rows.tree is not None else np.zeros(0, bool)
        super().show(rows)

    def _ordered(self, rows: Array, column: TableColumn | None) -> Array:
        tree = self.rows.tree
        if tree is None:
            return super()._ordered(rows, column)
        shown = np.zeros(len(tree), bool)
        shown[rows] = True
        shown = tree.with_parents(shown) if self.wanted else shown & tree.visible(self.folded)
        ranks = np.arange(len(tree))
        if column is not None:
            ranks[sorted_rows(column.order(), self.descending)] = np.arange(len(tree))
        return tree.order(ranks, shown)

    def cell(self, row: int, column: GridColumn) -> str:
        text = super().cell(row, column)
        tree = self.rows.tree
        if tree is None or column.name != KEY:
            return text
        node = int(self._order[row])
        fold = "" if not self._inner[node] else CLOSED if self._is_folded(node) else OPEN
        return f"{' ' * STEP * int(tree.depths[node])}{fold or ' '} {text}"

    def _is_folded(self, node: int) -> bool:
        assert self.rows.tree is not None
        return not self.wanted and self.rows.tree.keys[node] in self.folded

    # ------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        tree = self.rows.tree is not None
        match action:
            case "whole":
                return not (tree and parameters[0]) and super().check_action(action, parameters)
            case "fold":
                return tree
        return super().check_action(action, parameters)

    def action_fold(self, close: bool | None) -> None:
        """Fold or unfold the row's parts; if there is nothing to fold, its parent's. None: toggle, or show a row
        without parts whole.
        """
        self.point()
        tree = self.rows.tree
        if tree is None or self.cursor is None:
            return
        node = int(self._order[self.cursor])
        if close is None and not self._inner[node]:
            self.action_whole(True)
            return
        if self.wanted:
            return
        if close and (not self._inner[node] or self._is_folded(node)) and tree.parents[node] >= 0:
            node = int(tree.parents[node])
        if self._inner[node]:
            folds = not self._is_folded(node) if close is None else close
            (self.folded.add if folds else self.folded.discard)(tree.keys[node])
            self.kept = self.rows.key(node)
            self._arrange()
            self.reveal()

    def row_clicked(self, row: int, twice: bool) -> None:
        if self.rows.tree is not None and twice:
            self.action_fold(None)
        else:
            super().row_clicked(row, twice)
