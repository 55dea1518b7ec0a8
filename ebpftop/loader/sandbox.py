"""The loader's own view of the file system: a private mount namespace, where header trees are written and tracefs is
there.

Nothing of it is visible outside, and all of it goes with the process. Without a mount namespace (in a container
without CAP_SYS_ADMIN) a temporary directory takes its place.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ebpftop.kernel import tracefs

# BCC checks whether these two exist by reading all of /proc/kallsyms, which took more than half of a compilation. They
# do since Linux 5.5, at whatever address.
_SYMBOLS = "ffffffff81000000 T bpf_probe_read_kernel\nffffffff81000000 T bpf_probe_read_user\n"
_SCRATCH = Path("/run")


@contextlib.contextmanager
def sandbox() -> Iterator[tuple[Path, list[str]]]:
    """A directory to write in, with a note for each thing that is unavailable."""
    try:
        tracefs.private_mounts()
        tracefs.mount("tmpfs", _SCRATCH, "tmpfs")
    except OSError as error:
        scratch = Path(tempfile.mkdtemp(prefix="ebpftop-"))
        try:
            yield scratch, [f"no private mount namespace ({error.strerror}): a temporary directory is used"]
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return
    notes = []
    try:
        tracefs.mount_private()
    except OSError as error:
        notes.append(f"tracefs could not be mounted: {error.strerror}")
    symbols = _SCRATCH / "kallsyms"
    symbols.write_text(_SYMBOLS)
    with contextlib.suppress(OSError):  # only slower without
        tracefs.bind(symbols, Path("/proc/kallsyms"))
    yield _SCRATCH, notes
