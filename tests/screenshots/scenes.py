"""What is on each screenshot: a moment of the tape, a size, and the keys a person would press to get there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from ebpftop.frames.tape_source import TapeSource
from ebpftop.ui.app.app import EbpftopApp
from tests.screenshots.picture import picture

SMALL, MEDIUM, LARGE = (80, 24), (120, 36), (200, 60)
QUIET, STORM, PROGRAMS, DISK = 11.0, 22.0, 32.0, 43.0  # moments of the incident, see incident.py


@dataclass(frozen=True)
class Scene:
    """`at`: seconds from the tape's start; `keys`: by Textual's names."""

    name: str
    size: tuple[int, int]
    at: float
    keys: tuple[str, ...]
    png: bool = False


def show(probe: str, *keys: str) -> tuple[str, ...]:
    """The keys that bring a running probe to the front."""
    return ("slash", *probe, "enter", *keys)


SCENES = (
    Scene("runqlat-120x36", MEDIUM, STORM, show("runqlat", "tab"), png=True),
    Scene("runqlat-light-120x36", MEDIUM, STORM, show("runqlat", "tab", "T")),
    Scene("runqlat-80x24", SMALL, STORM, show("runqlat")),
    Scene("runqlat-200x60", LARGE, STORM, show("runqlat", "tab")),
    Scene("syscount-120x36", MEDIUM, PROGRAMS, show("syscount", "tab")),
    Scene("syscount-200x60", LARGE, PROGRAMS, show("syscount", "tab")),
    Scene("execsnoop-120x36", MEDIUM, PROGRAMS, show("execsnoop", "tab")),
    Scene("execsnoop-80x24", SMALL, PROGRAMS, show("execsnoop")),
    Scene("biolatency-120x36", MEDIUM, DISK, show("biolatency", "tab")),
    Scene("biolatency-200x60", LARGE, DISK, show("biolatency", "tab")),
    Scene("profile-120x36", MEDIUM, STORM, show("profile", "tab", "down", "down"), png=True),
    Scene("profile-200x60", LARGE, STORM, show("profile", "tab", "down", "down")),
    Scene("verifier-120x36", MEDIUM, QUIET, ("v",), png=True),
    Scene("verifier-80x24", SMALL, QUIET, ("v",)),
    Scene("verifier-200x60", LARGE, QUIET, ("v",)),
    Scene("catalog-80x24", SMALL, QUIET, ()),
    Scene("search-120x36", MEDIUM, QUIET, show("syscount", "slash", *"disk")),
    Scene("help-120x36", MEDIUM, STORM, ("question_mark",)),
)


async def shoot(tape: Path, scene: Scene) -> str:
    """The scene as SVG."""
    source = TapeSource(tape, paused=True)
    app = EbpftopApp(source)
    async with app.run_test(size=scene.size) as pilot:
        source.seek(scene.at)
        await _arrive(app)
        await _settle(app, pilot)
        for key in scene.keys:
            await pilot.press(key)
            await _settle(app, pilot)
        source.paused = False
        app.dashboard.draw_header()  # which tells that the tape plays
        await pilot.pause()
        return picture(app)


async def _arrive(app: EbpftopApp) -> None:
    """Wait until the tape was read up to where it stands, however long that takes."""
    before: list[int] = []
    while True:
        await asyncio.sleep(1)
        now = [run.last.monotonic_ns for run in app.feed.session.runs.values() if run.last]
        if now and now == before:
            return
        before = now


async def _settle(app: EbpftopApp, pilot: Pilot[None]) -> None:
    for _ in range(4):
        await pilot.pause()
        await app.pace.catch_up()
