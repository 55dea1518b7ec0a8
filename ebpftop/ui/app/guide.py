"""Which keys the help shows, and where they work."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import BindingType
from textual.widget import Widget

from ebpftop.ui.screens.copying import CopyScreen
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.help import Group
from ebpftop.ui.screens.parameters import ParameterForm
from ebpftop.ui.screens.tiles import Tiles
from ebpftop.ui.screens.verifier import VerifierScreen
from ebpftop.ui.widgets.catalog import CatalogTree, SearchLine
from ebpftop.ui.widgets.events import EventList
from ebpftop.ui.widgets.flame import Flame
from ebpftop.ui.widgets.grid import Grid
from ebpftop.ui.widgets.keyboard import MOVES
from ebpftop.ui.widgets.lines import Lines
from ebpftop.ui.widgets.stacks_panel import StacksPanel
from ebpftop.ui.widgets.start import Start
from ebpftop.ui.widgets.table_grid import TableGrid

EVERYWHERE = "Everywhere"
# Screens with keys of their own.
OWN: dict[type, str] = {Tiles: "Playbook", VerifierScreen: "Verifier panel", CopyScreen: "Copying a probe"}


def groups(everywhere: Sequence[BindingType]) -> list[Group]:
    """All our bindings, each once, grouped by where they work."""
    return [
        (EVERYWHERE, everywhere),
        ("Dashboard", Dashboard.BINDINGS),
        ("Catalog", [*_own(CatalogTree), *_own(Start)]),
        ("Parameters", ParameterForm.BINDINGS),
        ("Any list", MOVES),
        ("Search", SearchLine.BINDINGS),
        ("Tables and events", [*dict.fromkeys([*TableGrid.BINDINGS, *_own(Grid)]), *EventList.BINDINGS]),
        ("Call stacks", [*StacksPanel.BINDINGS, *_own(Flame)]),
        (OWN[VerifierScreen], [*VerifierScreen.BINDINGS, *Lines.BINDINGS]),
        (OWN[Tiles], Tiles.BINDINGS),
        (OWN[CopyScreen], CopyScreen.BINDINGS),
    ]


def groups_for(screen: type, everywhere: Sequence[BindingType]) -> list[Group]:
    """The groups that apply to a kind of screen."""
    mine = OWN.get(screen)
    return [
        (title, bindings)
        for title, bindings in groups(everywhere)
        if title in (EVERYWHERE, mine) or (mine is None and title not in OWN.values())
    ]


def _own(kind: type[Widget]) -> list[BindingType]:
    """A widget's bindings without the cursor keys."""
    return [binding for binding in kind.BINDINGS if binding not in MOVES]
