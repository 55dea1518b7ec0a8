"""Emulated machines: one that runs the live tests is started, followed, ended, and what they saw is kept."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.kernels.images import Image
from tests.support.held import CHECKOUT, add, place

LIMITS = {
    "amd64": 4500.0,
    "arm64": 14400.0,
}  # seconds; another machine's instructions are emulated several times slower
COUNTED = ("passed", "failed", "error", "skipped")
TESTS = (
    *(".venv/bin/python", "-m", "pytest", "-o", "cache_dir=/run/disk/pytest", "-o", "faulthandler_timeout=600"),
    *("--durations=40", "-m", "bpf", "--every-mechanism"),
)
FOLDER = "tests/live"


class Machine:
    """Boots on construction, and runs a command as root on a copy-on-write view of our files, in the checkout.

    devices: for qemu. out: a folder that it can write, with its `log`.
    """

    def __init__(self, image: Image, command: Sequence[str], devices: str = "") -> None:
        self.release = image.kernel.name.removeprefix("vmlinuz-")
        self._folder = tempfile.TemporaryDirectory(prefix="ebpftop-guest-")
        self.out = Path(self._folder.name)
        disk = self.out / "disk"
        with disk.open("wb") as file:
            file.truncate(4 << 30)
        script = [str(CHECKOUT / "tests/kernels/guest.sh"), str(CHECKOUT), str(self.out), *command]
        with (self.out / "console").open("wb") as console:
            self._process = subprocess.Popen(
                [*vng(image, self.out, disk, devices), "--", *script],
                cwd=CHECKOUT,
                env={**os.environ, "PATH": f"{CHECKOUT}/.venv/bin:{os.environ['PATH']}:/usr/sbin:/sbin"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def log(self) -> bytes:
        """What the command has written."""
        with contextlib.suppress(FileNotFoundError):
            return (self.out / "log").read_bytes()
        return b""

    def console(self) -> str:
        """Its last lines."""
        return _tail(self.out / "console")

    def stop(self) -> int:
        """Stop it if it still runs, its emulator too, which vng starts through a shell; how vng ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def remove(self) -> None:
        self._folder.cleanup()


class Guest(Machine):
    """Runs the live tests, or those that the arguments for pytest name by their paths. `status` is pytest's exit status
    once it has ended, None if it left none.
    """

    def __init__(self, image: Image, arguments: list[str]) -> None:
        self.status: int | None = None
        self.seconds = 0.0
        self._began = time.monotonic()
        self._seen = b""
        self._limit = LIMITS[image.architecture]
        named = any(argument.startswith((FOLDER, "@")) for argument in arguments)  # @FILE has one in a line
        super().__init__(image, [*TESTS, *arguments, *([] if named else [FOLDER])])

    def running(self) -> bool:
        """Pass on the lines it has written; False once it has ended or its time is over."""
        self.seconds = time.monotonic() - self._began
        over = self.seconds > self._limit
        ended = self.ended or over
        seen = self._seen.count(b"\n")
        self._seen = self.log()
        lines = self._seen.decode(errors="replace").splitlines()
        for line in lines[seen:] if ended else lines[seen : self._seen.count(b"\n")]:
            print(f"{self.release} | {line}", flush=True)
        if over:
            print(f"{self.release} | it has not ended after {self._limit:.0f} s and is stopped", flush=True)
        return not ended

    def end(self) -> None:
        """Stop it if it still runs; keep its result."""
        ended = self.stop()
        try:
            self.status = int((self.out / "status").read_text())
        except (OSError, ValueError):
            said = f"vng ended with {ended}, and its console with\n{self.console()}"
            print(f"{self.release} left no result; {said}", flush=True)
        with contextlib.suppress(OSError):
            if held := (self.out / "held.json").read_bytes():
                add(json.loads(held), place(self.release))
        self.remove()

    def summary(self) -> str:
        """Pytest's last line."""
        lines = self._seen.decode(errors="replace").strip().splitlines()
        return lines[-1].strip("= ") if lines else ""


def counts(summary: str) -> dict[str, int]:
    """Numbers in pytest's last line."""
    return {name: sum(map(int, re.findall(rf"(\d+) {name}", summary))) for name in COUNTED}


def vng(image: Image, out: Path, disk: Path, devices: str = "") -> list[str]:
    """The command, but for `--` and the script: `out` can be written, `disk` is there as a block device. devices: more
    of them, for qemu. Network cards are eth0, eth1, ….

    Nehalem has no AVX: qemu 7.2 emulates it wrongly (NumPy's sort mixed up numbers), and slowly besides.

    One thread runs both processors in turn: with a thread each, one may still run what the other has just patched, and
    kernels that switch tracepoints on and off all day panic sooner or later (seen, in syscall_trace_enter).
    """
    common = [
        *("vng", "--verbose", "--disable-kvm", "--run", str(image.kernel), "--cpus", "2", "--memory", "3G"),
        *("--user", "root", "--disk", str(disk), "--append", "mitigations=off net.ifnames=0"),
    ]
    if image.root is None:
        emulated = "-cpu Nehalem -accel tcg,thread=single"
        return [*common, "--rwdir", str(out), f"--qemu-opts={emulated} {_shared('host', '/')} {devices}"]
    (image.root / str(CHECKOUT)[1:]).mkdir(parents=True, exist_ok=True)
    shares = f"{_shared('host', image.root)} {_shared('checkout', CHECKOUT)}"
    return [
        *(*common, "--arch", image.architecture, "--root", str(image.root), "--force-9p"),
        *("--busybox", str(image.root / "bin/busybox")),
        *("--rwdir", f"{out}={out}", "--rodir", f"{CHECKOUT}={CHECKOUT}"),
        f"--qemu-opts=-cpu neoverse-n1 {shares} {devices}",
    ]


def _shared(tag: str, folder: Path | str) -> str:
    return f"-virtfs local,path={folder},mount_tag={tag},security_model=none,readonly=on,multidevs=remap"


def _tail(path: Path) -> str:
    """The last lines of a console, without its control characters."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[^\n\x20-\x7e]", "", path.read_text(errors="replace"))
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-20:])
