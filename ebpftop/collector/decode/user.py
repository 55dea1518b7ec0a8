"""Users by uid."""

from __future__ import annotations

import pwd
from functools import lru_cache


@lru_cache(maxsize=4096)  # a directory service may take long
def name(uid: int) -> str:
    """`root`, or the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)
