"""`make bench`: ebpftop beside BCC's tools and bpftrace's, measured in turn on this machine, as one table."""

from __future__ import annotations

import compileall
import os
import platform
import signal
import sys
import sysconfig
import time
import traceback
from pathlib import Path

import ebpftop
from ebpftop.kernel import tracefs
from tests.bench import (
    changes,
    crowds,
    events,
    explaining,
    leaks,
    memory,
    painting,
    reading,
    starting,
    startup,
    storms,
    tapes,
    unwinding,
)
from tests.bench.table import render


def main() -> int:
    """Measure everything; 0, or 1 where a part failed, or 3 without root."""
    if os.geteuid() != 0:
        print("measuring needs root: run it with sudo", file=sys.stderr)
        return 3
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was started is ended
    for folder in (Path(ebpftop.__file__).parent, sysconfig.get_path("purelib")):
        compileall.compile_dir(folder, quiet=2)  # as where it is installed
    tracefs.private_mounts()
    tracefs.mount_private()  # BCC's and bpftrace's tools don't mount it themselves
    rows, failed = [], False
    for part in (
        explaining,
        reading,
        changes,
        starting,
        startup,
        memory,
        events,
        leaks,
        painting,
        storms,
        tapes,
        crowds,
        unwinding,
    ):  # as long as this process is small
        print(f"{part.__name__.rpartition('.')[2]} …", end=" ", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            rows += part.rows()
        except Exception:  # what the others measured isn't lost with it
            traceback.print_exc()
            failed = True
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(
        f"Linux {platform.release()}, {os.cpu_count()} CPUs. Bytecode is compiled, as where ebpftop is installed.\n"
        "Medians; ratios are medians of paired ratios.\n"
    )
    print(render(rows))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
