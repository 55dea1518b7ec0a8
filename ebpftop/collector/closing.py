"""Closes attachments outside the collector's loop: a classic tracepoint takes a tenth of a second, two hundred uprobes
half a minute.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence


class Detaching:
    """Runs whose attachments are being closed, by number. `woken` is readable when there is `progress`."""

    def __init__(self) -> None:
        self.woken, self._wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._closing: dict[int, Closing] = {}

    def begin(self, number: int, descriptors: Sequence[int]) -> bool:
        """Begin; False if it has begun already."""
        if number in self._closing:
            return False
        self._closing[number] = Closing(descriptors, self._wakeup)
        return True

    def progress(self) -> list[tuple[int, Closing]]:
        """The progress of each; finished ones are returned once."""
        os.read(self.woken, 4096)
        all_runs = list(self._closing.items())
        self._closing = {number: closing for number, closing in all_runs if not closing.finished}
        return all_runs


class Closing:
    """Closes descriptors in a thread. `done` counts them; `wakeup` gets a byte from time to time and at the end."""

    def __init__(self, descriptors: Sequence[int], wakeup: int) -> None:
        self.total, self.done = len(descriptors), 0
        self._wakeup = wakeup
        # A daemon: the process may end first, and the kernel closes what is left.
        threading.Thread(target=self._close, args=(list(descriptors),), daemon=True).start()

    @property
    def finished(self) -> bool:
        return self.done == self.total

    def _close(self, descriptors: list[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)
            self.done += 1
            os.write(self._wakeup, b".")
        if not descriptors:
            os.write(self._wakeup, b".")
