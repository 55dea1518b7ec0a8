"""Block devices by the kernel's own dev_t: the major number above 20 bits of minor number."""

from __future__ import annotations

import os
from pathlib import Path

_LINKS = Path("/sys/dev/block")


class Devices:
    """Names of devices. A removed device keeps its name, if it was seen."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def name(self, number: int) -> str:
        """`sda1`, or `8:1` if there is no name."""
        numbers = f"{number >> 20}:{number & 0xFFFFF}"
        try:
            target = os.readlink(_LINKS / numbers)
        except OSError:
            return self._names.get(number, numbers)
        self._names[number] = os.path.basename(target).replace("!", "/")  # sysfs can't hold "cciss/c0d0"
        return self._names[number]
