"""The kernel's numbers of block devices: the major number above 20 bits of minor number."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

_NUMBERS = re.compile(r"(\d{1,4}):(\d{1,7})")
_SYS = Path("/sys")


def number(text: str, sys: Path = _SYS) -> int:
    """The kernel's number of `sda`, `/dev/sda` or `8:0`. Raises `OSError` if there is no such block device."""
    if _NUMBERS.fullmatch(text):
        numbers = text
        known = (sys / "dev/block" / text).exists()
    elif "/" in text and text.startswith("/"):
        status = os.stat(text)
        numbers = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        known = stat.S_ISBLK(status.st_mode)
    else:
        place = sys / "class/block" / text.replace("/", "!") / "dev"  # sysfs writes "cciss/c0d0" as "cciss!c0d0"
        known = text not in ("", ".", "..") and place.exists()
        numbers = place.read_text().strip() if known else ""
    if not known:
        raise OSError(errno.ENODEV, "no such block device")
    major, minor = map(int, numbers.split(":"))
    return major << 20 | minor
