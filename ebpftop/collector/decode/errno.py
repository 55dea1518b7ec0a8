"""Error numbers as the kernel returns them: of either sign, and with those it keeps to itself."""

from __future__ import annotations

import errno

# Source: linux/errno.h, never seen by programs. The others' names vary where one number has two.
_KERNELS = {
    35: "EDEADLK",
    95: "EOPNOTSUPP",
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    515: "ENOIOCTLCMD",
    516: "ERESTART_RESTARTBLOCK",
    517: "EPROBE_DEFER",
    518: "EOPENSTALE",
    519: "ENOPARAM",
    521: "EBADHANDLE",
    522: "ENOTSYNC",
    523: "EBADCOOKIE",
    524: "ENOTSUPP",
    525: "ETOOSMALL",
    526: "ESERVERFAULT",
    527: "EBADTYPE",
    528: "EJUKEBOX",
    529: "EIOCBQUEUED",
    530: "ERECALLCONFLICT",
}
_NAMES = {**errno.errorcode, **_KERNELS}


def name(number: int) -> str:
    """`ENOENT` for 2 and for -2, "" for 0, else the number."""
    return _NAMES.get(abs(number), str(number)) if number else ""
