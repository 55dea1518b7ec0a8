"""What is on each screenshot: a moment of the tape, a size, and the keys a person would press to get there."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from ebpftop.frames.tape_source import TapeSource
from ebpftop.ui.app.app import EbpftopApp
from ebpftop.ui.feed.comparing import NOT_YET
from ebpftop.ui.widgets.compared_panels import ComparedGrid
from tests.screenshots import stuck
from tests.screenshots.picture import picture

SMALL, MEDIUM, LARGE = (80, 24), (120, 36), (200, 60)
LATE_STORM = 43.0
QUIET, STORM, PROGRAMS, DISK = 14.0, 45.0, 75.0, 112.5  # moments of the incident, see incident.py; none is a mark's


@dataclass(frozen=True)
class Scene:
    """`at`: seconds from the tape's start; `keys`: by Textual's names; `colour`: without, as with NO_COLOR; `stuck`:
    with threads that wait.
    """

    name: str
    size: tuple[int, int]
    at: float
    keys: tuple[str, ...]
    png: bool = False
    colour: bool = True
    stuck: bool = False


def show(probe: str, *keys: str) -> tuple[str, ...]:
    """The keys that bring a running probe to the front."""
    return ("slash", *probe, "enter", *keys)


# The tail of what waits for a CPU while thumbnails are made: the three greatest rows of ten seconds.
TAIL = ("end", *["up"] * 40, "V", *["left"] * 9, *["down"] * 2, "V")

# Twenty quiet seconds are A, the last twenty B.
COMPARE = ("t", "right_curly_bracket", "at", "minus", *"33s", "enter", "a", "0", "b")
# Part of a second.
RANGE = (*["left"] * 16, "V", *["up"] * 6, "V")
# Ten seconds beside the ten before.
TWO = ("left_parenthesis", "a", "right_parenthesis", "b")

# Twenty seconds beside the twenty before.
FORTY = ("t", "right_curly_bracket", "left_parenthesis", "a", "right_parenthesis", "b")
BY_PARENT = ("B", "down", "down", "enter")

SCENES = (
    Scene("runqlat-120x36", MEDIUM, STORM, show("runqlat"), png=True),
    Scene("runqlat-light-120x36", MEDIUM, STORM, show("runqlat", "T")),
    Scene("runqlat-80x24", SMALL, STORM, show("runqlat")),
    Scene("runqlat-200x60", LARGE, STORM, show("runqlat")),
    Scene("heatmap-120x36", MEDIUM, STORM, show("runqlat", "o", "tab", *TAIL), png=True),
    Scene("heatmap-light-120x36", MEDIUM, STORM, show("runqlat", "T", "o", "tab", *TAIL)),
    Scene("heatmap-no-colour-120x36", MEDIUM, STORM, show("runqlat", "o", "tab", *TAIL), colour=False),
    Scene("heatmap-80x24", SMALL, STORM, show("runqlat", "o", "tab", "left", "up")),
    Scene("heatmap-200x60", LARGE, DISK, show("runqlat", "tab", "end", "up", "up")),
    Scene("standout-120x36", MEDIUM, STORM, show("runqlat", "o", "tab", *TAIL, "x", "down"), png=True),
    Scene("standout-light-120x36", MEDIUM, STORM, show("runqlat", "T", "o", "tab", *TAIL, "x", "down")),
    Scene("standout-no-colour-120x36", MEDIUM, STORM, show("runqlat", "o", "tab", *TAIL, "x", "down"), colour=False),
    Scene("paused-light-120x36", MEDIUM, STORM, show("runqlat", "T", "space", *["left_parenthesis"] * 3)),
    Scene(
        "paused-no-colour-120x36",
        MEDIUM,
        STORM,
        show("runqlat", "space", *["left_parenthesis"] * 3),
        colour=False,
    ),
    Scene("paused-120x36", MEDIUM, STORM, show("runqlat", "space", *["left_parenthesis"] * 3)),
    Scene("compare-120x36", MEDIUM, LATE_STORM, show("runqlat", *COMPARE), png=True),
    Scene("compare-80x24", SMALL, LATE_STORM, show("runqlat", *COMPARE)),
    Scene("compare-no-colour-80x24", SMALL, LATE_STORM, show("runqlat", *COMPARE), colour=False),
    Scene("compare-200x60", LARGE, LATE_STORM, show("runqlat", *COMPARE)),
    Scene("compare-light-120x36", MEDIUM, LATE_STORM, show("syscount", *COMPARE, "T")),
    Scene("compare-events-120x36", MEDIUM, PROGRAMS, show("execsnoop", *FORTY)),
    Scene("tree-120x36", MEDIUM, PROGRAMS, show("syscount", *BY_PARENT)),
    Scene("tree-80x24", SMALL, PROGRAMS, show("syscount", *BY_PARENT)),
    Scene("selection-120x36", MEDIUM, STORM, show("syscount", "down", "full_stop", *show("runqlat"))),
    Scene("selection-80x24", SMALL, STORM, show("syscount", "down", "full_stop", *show("runqlat"))),
    Scene("groups-120x36", MEDIUM, STORM, show("runqlat", "B", "down", "enter", "down")),
    Scene("process-80x24", SMALL, STORM, show("runqlat", "down", "P")),
    Scene("process-120x36", MEDIUM, STORM, show("runqlat", "down", "P")),
    Scene("process-light-120x36", MEDIUM, STORM, show("runqlat", "T", "down", "P")),
    Scene("process-no-colour-120x36", MEDIUM, STORM, show("runqlat", "down", "P"), colour=False),
    Scene("process-200x60", LARGE, STORM, show("runqlat", "down", "P")),
    Scene("threads-80x24", SMALL, STORM, ("W",), stuck=True),
    Scene("threads-120x36", MEDIUM, STORM, ("W", "down"), stuck=True),
    Scene("threads-light-120x36", MEDIUM, STORM, ("T", "W", "down"), stuck=True),
    Scene("threads-no-colour-120x36", MEDIUM, STORM, ("W", "down"), colour=False, stuck=True),
    Scene("threads-200x60", LARGE, STORM, ("W", "down", "enter"), stuck=True),
    Scene("syscount-120x36", MEDIUM, PROGRAMS, show("syscount")),
    Scene("syscount-200x60", LARGE, PROGRAMS, show("syscount")),
    Scene("execsnoop-120x36", MEDIUM, PROGRAMS, show("execsnoop")),
    Scene("execsnoop-80x24", SMALL, PROGRAMS, show("execsnoop")),
    Scene("biolatency-120x36", MEDIUM, DISK, show("biolatency")),
    Scene("biolatency-80x24", SMALL, DISK, show("biolatency")),
    Scene("biolatency-200x60", LARGE, DISK, show("biolatency")),
    Scene("profile-120x36", MEDIUM, STORM, show("profile", "down", "down"), png=True),
    Scene("profile-200x60", LARGE, STORM, show("profile", "down", "down")),
    Scene("strip-120x36", MEDIUM, STORM, show("profile", "o", *RANGE)),
    Scene("strip-light-120x36", MEDIUM, STORM, show("profile", "T", "o", *RANGE)),
    Scene("strip-no-colour-120x36", MEDIUM, STORM, show("profile", "o", *RANGE), colour=False),
    Scene("strip-80x24", SMALL, STORM, show("profile", "o", *RANGE)),
    Scene("strip-200x60", LARGE, STORM, show("profile", "o", *RANGE, "enter")),
    Scene("differential-120x36", MEDIUM, STORM, show("profile", *TWO)),
    Scene("differential-light-120x36", MEDIUM, STORM, show("profile", "T", *TWO)),
    Scene("differential-no-colour-120x36", MEDIUM, STORM, show("profile", *TWO), colour=False),
    Scene("differential-200x60", LARGE, STORM, show("profile", *TWO)),
    Scene("verifier-120x36", MEDIUM, QUIET, ("v",), png=True),
    Scene("verifier-80x24", SMALL, QUIET, ("v",)),
    Scene("verifier-200x60", LARGE, QUIET, ("v",)),
    Scene("catalog-80x24", SMALL, QUIET, ()),
    Scene("search-120x36", MEDIUM, QUIET, show("syscount", "slash", *"disk")),
    Scene("help-120x36", MEDIUM, STORM, ("question_mark",)),
)


async def shoot(tape: Path, scene: Scene) -> str:
    """The scene as SVG."""
    os.environ.pop("NO_COLOR", None)
    os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")  # whatever terminal this is
    if not scene.colour:
        os.environ["NO_COLOR"] = "1"
    source = TapeSource(tape, paused=True)
    app = EbpftopApp(source)
    async with app.run_test(size=scene.size) as pilot:
        source.seek(scene.at)
        await _arrive(app)
        app.feed.session.marks.clear()  # the captions belong to the demo
        newest = app.feed.session.newest
        if scene.stuck and newest is not None:
            app.feed.session.feed(stuck.threads(newest.monotonic_ns, newest.boottime_ns))
        await _settle(app, pilot)
        for key in scene.keys:
            await pilot.press(key)
            await _settle(app, pilot)
        source.paused = False
        app.dashboard.draw_header()  # which tells that the tape plays
        await pilot.pause()
        return picture(app)


async def _arrive(app: EbpftopApp) -> None:
    """Wait until the tape was read up to where it stands, and its past as a whole, however long that takes."""
    before: list[int] = []
    while True:
        await asyncio.sleep(1)
        now = [run.last.monotonic_ns for run in app.feed.session.runs.values() if run.last]
        ahead = any(worker.group == "past" and not worker.is_finished for worker in app.workers)
        if now and now == before and not ahead:
            return
        before = now


async def _settle(app: EbpftopApp, pilot: Pilot[None]) -> None:
    for _ in range(4):
        await pilot.pause()
        await app.pace.catch_up()
    if any(grid.note == NOT_YET for grid in app.screen.query(ComparedGrid)):
        await asyncio.sleep(0.1)
        await _settle(app, pilot)
