"""The keys that the help shows, and where they work."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import Binding, BindingType
from textual.widget import Widget

from ebpftop.ui.screens.choosing import Choosing
from ebpftop.ui.screens.copying import CopyScreen
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.export import ExportScreen
from ebpftop.ui.screens.help import Group
from ebpftop.ui.screens.hosts import HostsScreen
from ebpftop.ui.screens.marks import MarkList
from ebpftop.ui.screens.naming import MarkForm, RecordForm
from ebpftop.ui.screens.others import OthersScreen
from ebpftop.ui.screens.parameters import ParameterForm
from ebpftop.ui.screens.process import ProcessScreen
from ebpftop.ui.screens.reading import ReadingScreen
from ebpftop.ui.screens.standout import StandoutScreen
from ebpftop.ui.screens.threads import ThreadsScreen
from ebpftop.ui.screens.tiles import Tiles
from ebpftop.ui.screens.verifier import VerifierScreen
from ebpftop.ui.widgets.catalog import CatalogTree, SearchLine
from ebpftop.ui.widgets.events import EventList
from ebpftop.ui.widgets.flame import Flame
from ebpftop.ui.widgets.grid import Grid
from ebpftop.ui.widgets.heatmap import HeatmapPlot
from ebpftop.ui.widgets.keyboard import MOVES
from ebpftop.ui.widgets.lines import Lines
from ebpftop.ui.widgets.process_lists import PageGrid
from ebpftop.ui.widgets.stacks_panel import StacksPanel
from ebpftop.ui.widgets.start import Start
from ebpftop.ui.widgets.strip import StripPlot
from ebpftop.ui.widgets.table_grid import TableGrid
from ebpftop.ui.widgets.tree_grid import FOLDING

EVERYWHERE = "Everywhere"
# Screens with keys of their own.
OWN: dict[type, str] = {
    Tiles: "Playbook",
    VerifierScreen: "Verifier panel",
    CopyScreen: "Copying a probe",
    Choosing: "Choosing",
    MarkForm: "Marking",
    MarkList: "Marks",
    RecordForm: "Recording",
    ExportScreen: "Exporting",
    OthersScreen: "All programs",
    ThreadsScreen: "All threads",
    HostsScreen: "All hosts",
    StandoutScreen: "What stands out",
    ProcessScreen: "Process page",
}


def groups(everywhere: Sequence[BindingType]) -> list[Group]:
    """All our bindings, each once, grouped by where they work."""
    return [
        (EVERYWHERE, everywhere),
        ("Dashboard", Dashboard.BINDINGS),
        ("Catalog", [*_own(CatalogTree), *_own(Start)]),
        ("Parameters", ParameterForm.BINDINGS),
        ("Any list", MOVES),
        ("Search", SearchLine.BINDINGS),
        ("Tables and events", [*FOLDING, *dict.fromkeys([*TableGrid.BINDINGS, *_own(Grid)]), *EventList.BINDINGS]),
        ("Heatmap", _own(HeatmapPlot)),
        ("Call stacks", [*StacksPanel.BINDINGS, *_own(Flame)]),
        ("Samples over time", _own(StripPlot)),
        (OWN[VerifierScreen], [*VerifierScreen.BINDINGS, *Lines.BINDINGS]),
        (OWN[Tiles], Tiles.BINDINGS),
        (OWN[CopyScreen], CopyScreen.BINDINGS),
        *((OWN[kind], kind.BINDINGS) for kind in (Choosing, MarkForm, MarkList, RecordForm)),
        (OWN[ExportScreen], ExportScreen.BINDINGS),
        (OWN[StandoutScreen], [*StandoutScreen.BINDINGS, *_tables()]),
        (OWN[ProcessScreen], _of_process_page()),
        *((OWN[kind], [*ReadingScreen.BINDINGS, *kind.BINDINGS, *_tables()]) for kind in (OthersScreen, ThreadsScreen)),
        (OWN[HostsScreen], [*HostsScreen.BINDINGS, *_tables()]),
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


def _tables() -> list[BindingType]:
    """A table's bindings, with those of every list."""
    return [*dict.fromkeys([*MOVES, *TableGrid.BINDINGS, *_own(Grid)])]


def _of_process_page() -> list[BindingType]:
    """The bindings of a process page: its lists are tables, but Enter does something else."""
    tables = [each for each in TableGrid.BINDINGS if not (isinstance(each, Binding) and each.action == "pick")]
    return [*ProcessScreen.BINDINGS, *dict.fromkeys([*MOVES, *PageGrid.BINDINGS, *tables, *_own(Grid)])]
