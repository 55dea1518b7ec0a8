"""`make hosts-check`: two emulated machines with kernels of their own, and this one, in one dashboard over a real ssh.

A busy loop on one is found by comparing hosts. One whose packets are dropped is told, and comes back by itself. However
the dashboard, ssh or sshd ends, nothing of ours runs there afterwards, and no program or map of ours is in a kernel.
Emulation is slow, so nothing here has to be quick.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from tests.kernels.__main__ import CACHE, VERSIONS
from tests.kernels.guest import Machine
from tests.kernels.images import image
from tests.support.command import CHECKOUT, COMMAND
from tests.support.far_sshd import SSHD, Login, near, run, ssh_to
from tests.support.processes import alive, children, held_by, in_kernel
from tests.support.terminal import Terminal, terminal

PATIENCE = 900.0  # seconds
PROBE = "cputop"
BUSY = "busyloop"
KNOWN = (
    "from ebpftop.kernel.libbpf import map_ids, program_ids; "
    "print(*(f'program:{each}' for each in program_ids()), *(f'map:{each}' for each in map_ids()))"
)
PYTHON = f"cd {CHECKOUT} && .venv/bin/python"
SCRIPT = f'#!/bin/sh\n{PYTHON.replace(" && ", " && exec ")} -m ebpftop "$@"\n'


class Far(Machine):
    """An emulated machine to log in to, on a link with it alone."""

    def __init__(self, version: str, number: int, folder: Path) -> None:
        name, self.link = f"guest-{version}", f"ebtap{number}"
        address = f"10.214.{os.getpid() % 250}.{4 * number + 2}"
        programs = folder / f"bin-{version}"
        programs.mkdir()
        (programs / "ebpftop").write_text(SCRIPT)
        (programs / "ebpftop").chmod(0o755)
        self.login = Login(name, address, folder / name, f"{programs}:/usr/bin:/bin:/usr/sbin:/sbin")
        self.name = name
        run("ip", "tuntap", "add", self.link, "mode", "tap")
        run("ip", "addr", "add", f"{near(address)}/30", "dev", self.link)
        run("ip", "link", "set", self.link, "up")
        begin = (
            f"hostname {name}; ip addr add {address}/30 dev eth0; ip link set eth0 up; mkdir -p /run/sshd; "
            f"exec {SSHD} -D -e -f {self.login.folder}/config"
        )
        card = f"-netdev tap,id=far,ifname={self.link},script=no,downscript=no -device virtio-net-pci,netdev=far"
        super().__init__(image(version, CACHE), ["sh", "-c", begin], card)

    def cut(self) -> None:
        """From now on packets are dropped, both ways."""
        run("ip", "link", "set", self.link, "down")

    def mend(self) -> None:
        run("ip", "link", "set", self.link, "up")

    def close(self) -> None:
        self.stop()
        subprocess.run(["ip", "link", "del", self.link], check=False, capture_output=True)
        self.remove()


class Asking:
    """What there is on the far machines, asked over connections of our own. ssh: the command that knows them."""

    def __init__(self, ssh: str, socket: Path) -> None:
        self.ssh = ssh
        self._shared = ("-o", "ControlMaster=auto", "-o", f"ControlPath={socket}", "-o", "ControlPersist=60")

    def ask(self, far: Far, command: str, *, may_fail: bool = False) -> str:
        """Its standard output. An answer that doesn't come is none."""
        words = [*shlex.split(self.ssh), *self._shared, "-o", "BatchMode=yes", far.name, command]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode in ((0, 1) if may_fail else (0,)), f"{command}: {done.stderr}"
        return done.stdout

    def served(self, far: Far) -> set[int]:
        """Processes of ours there."""
        return {int(line) for line in self.ask(far, "pgrep -r R,S,D -f '[e]bpftop( serve|:)'", may_fail=True).split()}

    def loaded(self, far: Far) -> set[str]:
        """All BPF programs and maps there, by number."""
        return set(self.ask(far, f'{PYTHON} -c "{KNOWN}"').split())

    def nothing(self, fars: list[Far]) -> bool:
        return not any(self.served(far) or self.loaded(far) for far in fars)


def until(holds: Callable[[], object], what: str) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < PATIENCE, f"not so: {what}"
        time.sleep(1.0)
    say(f"{what} ({time.monotonic() - began:.0f} s)")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


@contextlib.contextmanager
def booted(folder: Path) -> Iterator[list[Far]]:
    fars: list[Far] = []
    try:
        for number, version in enumerate(VERSIONS):
            fars.append(Far(version, number, folder))
        for far in fars:
            until(lambda far=far: far.ended or b"listening" in far.log(), f"{far.release}: sshd listens")
            assert not far.ended, f"{far.log().decode(errors='replace')}\n{far.console()}"
        yield fars
    finally:
        for far in fars:
            far.close()


@contextlib.contextmanager
def dashboard(ssh: str, fars: list[Far]) -> Iterator[Terminal]:
    """With the probe's rows of all hosts on the screen."""
    hosts = [word for name in (*(far.name for far in fars), "local") for word in ("--host", name)]
    with terminal([*COMMAND, *hosts, "--ssh", ssh], 150, 40) as term:
        try:
            term.wait_for("Catalog", PROBE, patience=PATIENCE)
            term.keys("/")
            term.type(PROBE)
            term.keys("Enter")
            everywhere(term, fars)
            yield term
        except BaseException:
            print(term.text())
            raise


def everywhere(term: Terminal, fars: list[Far]) -> None:
    """Wait until all hosts are live, and the table has rows of each."""
    term.wait_for(*(f"{name} cpu" for name in (*(far.name for far in fars), "local")), patience=PATIENCE)
    until(
        lambda: all(re.search(rf"│ *{re.escape(name)} ", term.text()) for name in ("local", *(f.name for f in fars))),
        "all hosts have rows",
    )


def a_busy_loop_is_found(there: Asking, term: Terminal, fars: list[Far]) -> None:
    calm, busy = fars
    begin = f"cp /bin/sh /run/{BUSY}; setsid /run/{BUSY} -c 'while :; do :; done' </dev/null >/dev/null 2>&1 &"
    there.ask(busy, begin)
    term.wait_for(BUSY, patience=PATIENCE)
    time.sleep(20.0)
    everywhere(term, fars)  # in the list, those that are late would be on top
    term.keys("H")
    term.wait_for("3 hosts")
    term.keys("Down", "a", "Down", "b")
    shown = term.wait_for(f"comparing A {calm.name} with B {busy.name}", BUSY, patience=PATIENCE)
    print(shown)
    lines = shown.splitlines()
    first = next(at for at, line in enumerate(lines) if "change▼" in line) + 1
    assert BUSY in lines[first], "something else stands out"
    term.keys("b", "0")
    there.ask(busy, f"pkill -x {BUSY}")


def one_is_cut_off_and_comes_back(term: Terminal, fars: list[Far]) -> None:
    lost, stays = fars
    lost.cut()
    term.wait_for(f"✗ {lost.name}", f"{stays.name} cpu", patience=PATIENCE)
    say(f"{lost.name} is lost, {stays.name} isn't")
    lost.mend()
    everywhere(term, fars)


def its_end_leaves_nothing(there: Asking, term: Terminal, fars: list[Far], how: str) -> None:
    """What ran when it ended; after `ssh` and `sshd` the dashboard has begun anew there."""
    ours = psutil.Process(term.pid())
    before = [(there.served(far), there.loaded(far)) for far in fars]
    assert all(served and loaded for served, loaded in before), before
    held = held_by(children(ours.pid)["collect"].pid)
    match how:
        case "q":
            term.keys("q")
        case "kill -9 of the dashboard":
            for each in ours.children(recursive=True):
                if each.name() == "ebpftop:dashboa":
                    each.kill()
            ours.kill()
        case "kill -9 of ssh":
            for each in ours.children(recursive=True):
                if each.name() == "ssh":
                    each.kill()
        case "kill -9 of sshd":
            for far in fars:
                there.ask(
                    far, 'setsid sh -c "sleep 1; pkill -KILL -P $(pgrep -o -x sshd)" </dev/null >/dev/null 2>&1 &'
                )
    for far, (served, loaded) in zip(fars, before, strict=True):
        until(
            lambda far=far, served=served: not served & there.served(far),
            f"{how}: none of {len(served)} processes is left on {far.name}",
        )
        until(
            lambda far=far, loaded=loaded: not loaded & there.loaded(far),
            f"{how}: none of {len(loaded)} programs and maps is loaded on {far.name}",
        )
    if "ssh" not in how:
        until(lambda: there.nothing(fars), f"{how}: nothing else runs or is loaded there")
        until(lambda: not in_kernel(held) and not alive(ours), f"{how}: nor here")


def check() -> None:
    subprocess.run([sys.executable, "-m", "compileall", "-q", "ebpftop"], cwd=CHECKOUT, check=True)  # not there, slowly
    with tempfile.TemporaryDirectory(prefix="ebpftop-hosts-") as name, booted(Path(name)) as fars:
        Path(name).chmod(0o755)
        # The usual key exchange takes an emulated machine long.
        ssh = f"{ssh_to(Path(name), *(far.login for far in fars))} -o KexAlgorithms=curve25519-sha256"
        there = Asking(ssh, Path(name) / "%n")
        for far in fars:
            say(f"{far.name}: Linux {there.ask(far, 'uname -r').strip()}")
        until(lambda: there.nothing(fars), "nothing runs or is loaded there")
        with dashboard(there.ssh, fars) as term:
            a_busy_loop_is_found(there, term, fars)
            one_is_cut_off_and_comes_back(term, fars)
            for how in ("kill -9 of ssh", "kill -9 of sshd"):
                its_end_leaves_nothing(there, term, fars, how)
                everywhere(term, fars)
            its_end_leaves_nothing(there, term, fars, "q")
        with dashboard(there.ssh, fars) as term:
            its_end_leaves_nothing(there, term, fars, "kill -9 of the dashboard")
    say("all as it should be")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # no guest is left behind
    check()
