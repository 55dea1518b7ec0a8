"""The kernel's accounting of program run times: on while somebody looks at a running probe, and not longer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable


class RunTimes:
    """Holds the descriptor that keeps the accounting on. `request` has root open one, which arrives by `opened`."""

    def __init__(self, request: Callable[[], None]) -> None:
        self._request = request
        self._requested, self._descriptor = False, -1
        self._since = 0

    @property
    def on(self) -> bool:
        return self._descriptor >= 0

    @property
    def since(self) -> int | None:
        """Monotonic ns since when it has been on; None if it is off."""
        return self._since if self.on else None

    def switch(self, wanted: bool) -> None:
        if wanted and not self.on and not self._requested:
            self._requested = True
            self._request()
        elif not wanted and self.on:
            os.close(self._descriptor)
            self._descriptor = -1

    def opened(self, descriptor: int) -> None:
        self._requested, self._descriptor, self._since = False, descriptor, time.monotonic_ns()
