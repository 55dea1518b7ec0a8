"""The tables of a process's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ebpftop.frames.messages import FileFacts, SocketFacts, ThreadFacts
from ebpftop.model.one_process import More, Said
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.widgets.columns import GridColumn
from ebpftop.ui.widgets.plain_columns import number, text
from ebpftop.ui.widgets.process_head import STATES
from ebpftop.ui.widgets.rows import Rows, TableColumn

CPU = "cpu"  # the column that orders threads at first
FD = "fd"  # and files and sockets
NUMBERED = 9  # probes that a digit loads
NOT_BY_PROCESS, NOTHING = "not by process", "nothing in this span"


def _bare(probe: str) -> str:
    return cell(probe.rpartition("/")[2])


def said_rows(found: Sequence[Said]) -> Rows:
    """The views of the running probes, in order; the position is their key."""
    return Rows(
        count=len(found),
        keys={"view": np.arange(len(found))},
        columns=[
            text("probe", "probe", 10, [_view(each) for each in found], most=30, priority=3),
            text("numbers", "numbers", 20, [_written(each) for each in found], most=200, stretch=True, priority=4),
        ],
        gone=lambda row: not found[row].numbers,
    )


def _view(said: Said) -> str:
    """The probe's name, and the view's if the probe has several."""
    name = _bare(said.run.probe)
    return f"{name} {cell(said.view.name)}" if len(said.run.views) > 1 else name


def _written(said: Said) -> str:
    if said.numbers is None:
        return NOT_BY_PROCESS
    return " · ".join(cell(f"{title} {written}".strip()) for title, written in said.numbers) or NOTHING


def more_rows(found: Sequence[More], loaded: Mapping[str, str]) -> Rows:
    """Probes in order; the position is their key. loaded: signs of those loaded for this process."""
    return Rows(
        count=len(found),
        keys={"probe": np.arange(len(found))},
        columns=[
            text("key", "", 1, [str(at) if at <= NUMBERED else "" for at in range(1, len(found) + 1)], priority=5),
            text("state", "", 1, [loaded.get(each.probe.id, "") for each in found], priority=5),
            text("probe", "probe", 10, [_bare(each.probe.id) for each in found], most=18, priority=3),
            text(
                "question", "question", 20, [cell(each.question) for each in found], most=80, stretch=True, priority=4
            ),
        ],
    )


def thread_rows(found: Sequence[ThreadFacts], percents: Mapping[int, float]) -> Rows:
    """percents: of a CPU, by thread, where it is known."""
    return Rows(
        count=len(found),
        keys={"tid": np.array([each.tid for each in found], np.int64)},
        columns=[
            text("name", "thread", 12, [cell(each.comm) for each in found], most=16, priority=4),
            number(CPU, "CPU", formatting.percent, [percents.get(each.tid) for each in found], 6, 3),
            text(
                "state", "state", 8, [STATES.get(each.state, cell(each.state)) for each in found], most=24, priority=3
            ),
            text("waits", "waits in", 10, [cell(each.waits) for each in found], most=40, stretch=True, priority=2),
            number("spent", "CPU time", formatting.duration, [each.cpu_ns for each in found], 8, 1),
            _whole("tid", "tid", [each.tid for each in found]),
        ],
    )


def file_rows(found: Sequence[FileFacts]) -> Rows:
    return Rows(
        count=len(found),
        keys={FD: np.array([each.fd for each in found], np.int64)},
        columns=[
            _whole(FD, "fd", [each.fd for each in found]),
            text("target", "leads to", 20, [cell(each.target) for each in found], most=400, stretch=True, priority=4),
        ],
    )


def socket_rows(found: Sequence[SocketFacts]) -> Rows:
    return Rows(
        count=len(found),
        keys={FD: np.array([each.fd for each in found], np.int64)},
        columns=[
            _whole(FD, "fd", [each.fd for each in found]),
            text("protocol", "socket", 6, [cell(each.protocol) or "other" for each in found], priority=4),
            text("local", "local", 12, [cell(each.local) for each in found], most=60, stretch=True, priority=3),
            text("remote", "remote", 12, [cell(each.remote) for each in found], most=60, stretch=True, priority=3),
            text("state", "state", 8, [cell(each.state) for each in found], most=16, priority=2),
        ],
    )


def _whole(name: str, title: str, values: Sequence[int]) -> TableColumn:
    return TableColumn(
        GridColumn(name, title, numeric=True, least=4, priority=1),
        lambda row: str(values[row]),
        lambda: np.array(values, np.int64),
        lambda: [str(value) for value in values],
    )
