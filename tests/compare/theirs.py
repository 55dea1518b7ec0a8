"""BCC's own tools, started on a kernel without its headers.

Types come from the kernel's BTF, as for our own probes: compiled with another kernel's headers a tool would load, and
read other fields than it means to.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ebpftop.kernel import headers, perf

_PATIENCE = 60.0  # seconds until a tool says that it traces
_LAYERS = 4  # times that types may turn out to be missing
_SETTLED = 0.5  # seconds: some say that they trace just before they do
# Macros that leave no trace in BTF. 0xffff888000000000 is where x86-64 maps memory unless it is told to choose.
_MACROS = "#define PAGE_OFFSET 0xffff888000000000UL\n"


class NotHere(Exception):
    """The tool can't run on this kernel; the text is its last word."""


@contextlib.contextmanager
def running(tool: str, *arguments: str) -> Iterator[list[str]]:
    """The tool, tracing. All that it wrote is in the list once the `with` is left. Raises NotHere."""
    path = shutil.which(f"{tool}-bpfcc") or shutil.which(tool, path="/usr/share/bcc/tools:/usr/sbin")
    if path is None:
        raise NotHere("not installed (bpfcc-tools)")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as out:
        process = _start([path, *arguments], Path(folder), out.fileno())
        lines: list[str] = []
        try:
            time.sleep(_SETTLED)
            yield lines
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        out.seek(0)
        lines += out.read().decode(errors="replace").splitlines()


def _start(command: list[str], folder: Path, out: int) -> subprocess.Popen[bytes]:
    """Start it until the compiler misses no type any more, and wait for its first word."""
    environment = {**os.environ, "BCC_KERNEL_SOURCE": str(folder), "PYTHONUNBUFFERED": "1"}
    text = Path(command[0]).read_text()
    extra: set[str] = set()
    for _ in range(_LAYERS):
        tree = headers.write_tree(folder, text, extra)
        with (folder / "include/linux/types.h").open("a") as types:
            types.write(tree.prologue + _MACROS)
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=errors, start_new_session=True)
            if _speaks(process, out):
                return process
            process.kill()
            process.wait()
            errors.seek(0)
            said = errors.read().decode(errors="replace")
        if not (missing := set(headers.incomplete_types(said)) - extra):
            break
        extra |= missing
    if perf.dynamic_type("kprobe") is None:
        raise NotHere("this kernel has no kprobes")
    raise NotHere((said.strip().splitlines() or ["it said nothing"])[-1].removeprefix("Exception: "))


def _speaks(process: subprocess.Popen[bytes], out: int) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if os.fstat(out).st_size:
            return True
        time.sleep(0.05)
    return False
