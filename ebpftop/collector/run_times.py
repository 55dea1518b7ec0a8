"""The kernel's accounting of program run times: on while somebody looks at a running probe, and not longer."""

from __future__ import annotations

import os
from collections.abc import Callable


class RunTimes:
    """Holds the descriptor that keeps the accounting on. `ask` has root open one, which comes by `opened`."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._asked, self._descriptor = False, -1

    @property
    def on(self) -> bool:
        return self._descriptor >= 0

    def switch(self, wanted: bool) -> None:
        if wanted and not self.on and not self._asked:
            self._asked = True
            self._ask()
        elif not wanted and self.on:
            os.close(self._descriptor)
            self._descriptor = -1

    def opened(self, descriptor: int) -> None:
        self._asked, self._descriptor = False, descriptor
