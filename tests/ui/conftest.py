"""The real application on frames made by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from ebpftop.frames.messages import AnyFrame, AnyRequest, Catalog, Load
from ebpftop.ui.app.app import EbpftopApp
from ebpftop.ui.app.options import Options
from tests.support.frames import catalog, hello, loaded
from tests.support.script import Script
from tests.ui.probes import PROBES

W = TypeVar("W", bound=Widget)


@dataclass
class Stage:
    """An application that runs, its pilot and its source."""

    app: EbpftopApp
    pilot: Pilot[None]
    source: Any  # a Script, or the tape that is played

    async def play(self, *frames: AnyFrame) -> None:
        """Let the application take frames in, and draw them."""
        self.source.play(*frames)
        await self.settle()

    async def press(self, *keys: str) -> None:
        """What Enter loads or opens is there before the next key."""
        while "enter" in keys[:-1]:
            after = keys.index("enter") + 1
            await self.pilot.press(*keys[:after])
            await self.settle()
            keys = keys[after:]
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self) -> None:
        await self.pilot.pause()
        if isinstance(self.source, Script):
            await self.source.taken()
        await self.app.pace.catch_up()
        await self.pilot.pause()

    def see(self, kind: type[Widget]) -> str:
        """What the first widget of a kind shows, line by line."""
        return seen(self.one(kind))

    def told(self) -> list[str]:
        """The notices so far."""
        return [each.message for each in self.app._notifications]

    def one(self, kind: type[W]) -> W:
        return self.app.screen.query_one(kind)


def seen(widget: Widget) -> str:
    """What a widget draws, line by line, without its rim."""
    return "\n".join(widget.render_line(y).text.rstrip() for y in range(widget.size.height))


Open = Callable[..., AbstractAsyncContextManager[Stage]]


def answers(request: AnyRequest) -> Iterable[AnyFrame]:
    """A root side that loads whatever the catalog holds, one run after the other."""
    if isinstance(request, Load):
        info = next(probe for probe in PROBES if probe.id == request.probe)
        number = [probe.id for probe in PROBES].index(request.probe) + 1
        yield loaded(number, info.id, *info.views, params=request.params)


@pytest.fixture
def stage() -> Open:
    """Open the application: `async with stage(size=(120, 36)) as on:`."""

    @asynccontextmanager
    async def opened(
        *frames: AnyFrame,
        first: Catalog | None = None,
        size: tuple[int, int] = (120, 36),
        options: Options | None = None,
        **script: Any,
    ) -> AsyncIterator[Stage]:
        script.setdefault("answer", answers)
        source = Script([hello(), first or catalog(*PROBES), *frames], **script)
        app = EbpftopApp(source, options=options)
        async with app.run_test(size=size) as pilot:
            on = Stage(app, pilot, source)
            await on.settle()
            yield on

    return opened
