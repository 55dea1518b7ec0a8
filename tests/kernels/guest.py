"""One emulated machine that runs the live tests: started, followed, ended; what they saw is kept."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.kernels.images import Machine
from tests.support.held import CHECKOUT, place

LIMIT = 4500.0  # seconds
COUNTED = ("passed", "failed", "error", "skipped")


class Guest:
    """Boots on construction. `status` is pytest's exit status once it has ended, None if it left none."""

    def __init__(self, machine: Machine, arguments: list[str]) -> None:
        self.release = machine.kernel.name.removeprefix("vmlinuz-")
        self.status: int | None = None
        self.seconds = 0.0
        self._began = time.monotonic()
        self._folder = tempfile.TemporaryDirectory(prefix="ebpftop-guest-")
        self._out = Path(self._folder.name)
        self._log = b""
        disk = self._out / "disk"
        with disk.open("wb") as file:
            file.truncate(4 << 30)
        script = [str(CHECKOUT / "tests/kernels/guest.sh"), str(CHECKOUT), str(self._out), *arguments]
        with (self._out / "console").open("wb") as console:
            self._process = subprocess.Popen(
                [*vng(machine, self._out, disk), "--", *script],
                cwd=CHECKOUT,
                env={**os.environ, "PATH": f"{CHECKOUT}/.venv/bin:{os.environ['PATH']}:/usr/sbin:/sbin"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def running(self) -> bool:
        """Pass on the lines it has written; False once it has ended or its time is over."""
        self.seconds = time.monotonic() - self._began
        over = self.seconds > LIMIT
        ended = self._process.poll() is not None or over
        seen = self._log.count(b"\n")
        with contextlib.suppress(FileNotFoundError):
            self._log = (self._out / "log").read_bytes()
        lines = self._log.decode(errors="replace").splitlines()
        for line in lines[seen:] if ended else lines[seen : self._log.count(b"\n")]:
            print(f"{self.release} | {line}", flush=True)
        if over:
            print(f"{self.release} | it has not ended after {LIMIT:.0f} s and is stopped", flush=True)
        return not ended

    def end(self) -> None:
        """Stop it if it still runs, its emulator too, which vng starts through a shell; keep its result."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        ended = self._process.wait()
        try:
            self.status = int((self._out / "status").read_text())
        except (OSError, ValueError):
            console = _tail(self._out / "console")
            print(f"{self.release} left no result; vng ended with {ended}, and its console with\n{console}", flush=True)
        with contextlib.suppress(OSError):
            if held := (self._out / "held.json").read_bytes():
                place(self.release).parent.mkdir(parents=True, exist_ok=True)
                place(self.release).write_bytes(held)
        self._folder.cleanup()

    def summary(self) -> str:
        """Pytest's last line."""
        lines = self._log.decode(errors="replace").strip().splitlines()
        return lines[-1].strip("= ") if lines else ""


def counts(summary: str) -> dict[str, int]:
    """Numbers in pytest's last line."""
    return {name: sum(map(int, re.findall(rf"(\d+) {name}", summary))) for name in COUNTED}


def vng(machine: Machine, out: Path, disk: Path) -> list[str]:
    """The command, but for `--` and the script: `out` can be written, `disk` is there as a block device.

    Nehalem has no AVX: qemu 7.2 emulates it wrongly (NumPy's sort mixed up numbers), and slowly besides.

    One thread runs both processors in turn: with a thread each, one may still run what the other has just patched, and
    kernels that switch tracepoints on and off all day panic sooner or later (seen, in syscall_trace_enter).
    """
    common = [
        *("vng", "--verbose", "--disable-kvm", "--run", str(machine.kernel), "--cpus", "2", "--memory", "3G"),
        *("--user", "root", "--disk", str(disk), "--append", "mitigations=off"),
    ]
    if machine.root is None:
        emulated = "-cpu Nehalem -accel tcg,thread=single"
        return [*common, "--rwdir", str(out), f"--qemu-opts={emulated} {_shared('host', '/')}"]
    (machine.root / str(CHECKOUT)[1:]).mkdir(parents=True, exist_ok=True)
    return [
        *(*common, "--arch", machine.architecture, "--root", str(machine.root), "--force-9p"),
        *(
            "--busybox",
            str(machine.root / "bin/busybox"),
            "--rwdir",
            f"{out}={out}",
            "--rodir",
            f"{CHECKOUT}={CHECKOUT}",
        ),
        f"--qemu-opts=-cpu neoverse-n1 {_shared('host', machine.root)} {_shared('checkout', CHECKOUT)}",
    ]


def _shared(tag: str, folder: Path | str) -> str:
    return f"-virtfs local,path={folder},mount_tag={tag},security_model=none,readonly=on,multidevs=remap"


def _tail(path: Path) -> str:
    """The last lines of a console, without its control characters."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[^\n\x20-\x7e]", "", path.read_text(errors="replace"))
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-20:])
