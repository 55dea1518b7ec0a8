"""Decides when the session is drawn: once for everything that arrives together, and no more often than people read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic

from textual.app import App
from textual.timer import Timer

TOGETHER = 0.05  # seconds within which the frames of one tick arrive
VALUES = 0.25  # least seconds from one drawing to the next with new values of what is in front
REST = 1.25  # the same for all else: longer than an interval, so that it usually goes along with what is in front
STILL = 10.0  # the same where the numbers stand still, and only their age and the timeline go on


class Pace:
    """Draws on schedule, with `draw`. An earlier drawing replaces a later one.

    waits: whether a drawing couldn't be shown now. It then waits for `go_on`.
    """

    def __init__(self, app: App[None], draw: Callable[[], Awaitable[None]], waits: Callable[[], bool]) -> None:
        self._app = app
        self._draw = draw
        self._waits = waits
        self._drawn = 0.0  # when the last drawing ended
        self._due: float | None = None
        self._timer: Timer | None = None
        self._missed = False  # whether the drawing that is due waits

    def soon(self) -> None:
        """Something changed that people are waiting for."""
        self._at(self._drawn + TOGETHER)

    def values(self) -> None:
        """The front has new values."""
        self._at(max(monotonic() + TOGETHER, self._drawn + VALUES))

    def rest(self) -> None:
        """Something else changed."""
        self._at(max(monotonic() + TOGETHER, self._drawn + REST))

    def still(self) -> None:
        """Only time has passed."""
        self._at(max(monotonic() + TOGETHER, self._drawn + STILL))

    def _at(self, due: float) -> None:
        if self._due is not None and self._due <= due:
            return
        if self._timer is not None:
            self._timer.stop()
        self._due = due
        self._timer = self._app.set_timer(max(0.001, due - monotonic()), self._in_time)

    async def _in_time(self) -> None:
        self._missed = self._waits()
        if not self._missed:
            await self.now()

    async def now(self) -> None:
        """Draw, whether it is due or not."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._due = None
        self._missed = False
        await self._draw()
        self._drawn = monotonic()

    @property
    def behind(self) -> float:
        """Seconds during which something may have arrived that is not drawn yet."""
        return monotonic() - self._drawn if self._due is not None else 0.0

    async def go_on(self) -> None:
        """Drawings are possible again: draw what waits."""
        if self._missed:
            await self.now()

    async def catch_up(self) -> None:
        """Draw if anything is due, now or later."""
        if self._due is not None:
            await self.now()
