"""Error numbers and names, including the kernel-internal ones (linux/errno.h) that programs never see."""

from __future__ import annotations

import errno

# The first two have two names each in user-space headers.
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
NAMES = {**errno.errorcode, **_KERNELS}
NUMBERS = {
    **{name: number for name in dir(errno) if isinstance(number := getattr(errno, name), int)},
    **{name: number for number, name in NAMES.items()},
}
HIGHEST = 4095  # MAX_ERRNO
