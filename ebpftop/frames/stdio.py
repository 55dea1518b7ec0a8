"""The beginning of a stream of frames on another machine's standard output, which follows the output of the login."""

from __future__ import annotations

import re

from ebpftop import __version__
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import PROTOCOL

GREETING = f"\0ebpftop frames {PROTOCOL} {__version__}\n".encode()
NOISE = 64 << 10  # bytes that may come before it
_GREETING = re.compile(rb"\0ebpftop frames ([0-9]{1,6}) ([0-9A-Za-z.+-]{1,40})\n")
_LONGEST = 80


class Greeted:
    """Looks for the greeting. noise: what preceded it. rest: what followed it, None until it is found."""

    def __init__(self) -> None:
        self.noise = b""
        self.rest: bytes | None = None
        self._seen = b""

    def feed(self, data: bytes) -> bool:
        """Whether it was found. Raises `BadFrame` if it doesn't come, or another protocol follows."""
        self._seen += data
        found = _GREETING.search(self._seen)
        if found is None:
            if len(self._seen) > NOISE + _LONGEST:
                raise BadFrame(f"{NOISE >> 10} KiB of other output came, and no frame")
            return False
        protocol, version = int(found[1]), found[2].decode()
        if protocol != PROTOCOL:
            raise BadFrame(
                f"ebpftop {version} there speaks protocol {protocol}, and this one, {__version__}, speaks {PROTOCOL}: "
                "install the same version on both"
            )
        self.noise, self.rest, self._seen = self._seen[: found.start()], self._seen[found.end() :], b""
        return True
