"""One episode: a command under load, a fault at a stage, and what must hold afterwards."""

from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.tape import TapeReader
from ebpftop.model.session import Session
from tests.support.bare_pty import BarePty, bare_pty
from tests.support.command import CHECKOUT, COMMAND
from tests.support.processes import SLOWER, alive, children, held_by, in_kernel
from tests.support.workloads import Worker

CALLS = 2_000  # of the process that is counted, each time
NAME = f"soaked{os.getpid()}"  # so that another one beside counts its own
COUNTING = f"def work():\n    for _ in range({CALLS}): os.getppid()"
PATIENCE = 20.0  # seconds until nothing is left
MOST = 600 << 20  # bytes that one of our processes may ever have had in memory
PROBES = ("cpu/runqlat", "cpu/offcputime", "disk/opensnoop", "cpu/execsnoop", "cpu/profile", "irq/softirqs")
LOADS = {
    "opens": "for n in range(20_000): open('/dev/null').close()",
    "forks": "for n in range(300):\n  p = os.fork()\n  if not p: os._exit(0)\n  os.waitpid(p, 0)",
    "threads": "import threading\nfor n in range(500): t = threading.Thread(target=int); t.start(); t.join()",
    "idle": "time.sleep(0.2)",
}
STAGES = ("starting", "loading", "running", "ending")
WHO = ("supervisor", "collect", "consumer", "loader")
KINDS = ("kill", "stop", "term", "int", "hup", "memory", "files", "hang up", "disk", "save", "burst", "nothing")


def drawn(choice: random.Random) -> Episode:
    """The next episode of a seed."""
    fault = choice.choice(KINDS)
    command = {"hang up": "dashboard", "save": "dashboard", "burst": "dashboard", "disk": "record"}.get(fault)
    stage = "running" if fault in ("save", "burst") else choice.choice(STAGES)
    return Episode(
        command=command or choice.choice(("record", "record", "dashboard")),
        probes=tuple(choice.sample(PROBES, choice.randint(0, 3))),
        load=choice.choice(list(LOADS)),
        fault=fault,
        who=choice.choice(WHO if stage == "loading" else WHO[:-1]),
        stage=stage,
        delay=round(choice.random() * 0.5, 3),
    )


class Watched:
    """A command's processes, and what they ever held in the kernel."""

    def __init__(self, pid: int) -> None:
        self.supervisor = psutil.Process(pid)
        self.ever: dict[int, psutil.Process] = {pid: self.supervisor}
        self.names = {pid: "supervisor"}
        self.programs, self.maps, self.most = set[int](), set[int](), 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.03 * SLOWER):
            self.look()

    def look(self) -> None:
        for name, process in children(self.supervisor.pid).items():
            self.ever[process.pid], self.names[process.pid] = process, name
            if name in ("collect", "loader"):
                with contextlib.suppress(OSError):
                    programs, maps = held_by(process.pid)
                    self.programs |= programs
                    self.maps |= maps
        for process in list(self.ever.values()):
            with contextlib.suppress(psutil.Error):
                self.most = max(self.most, process.memory_info().rss)

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def named(self, who: str) -> psutil.Process | None:
        if who == "supervisor":
            return self.supervisor
        found = children(self.supervisor.pid)
        return next(
            (found[name] for name in (who, *(("run", "dashboa") if who == "consumer" else ())) if name in found), None
        )

    def left(self) -> str:
        """Its processes that are alive, and how many of its programs and maps are in the kernel; "" if nothing is."""
        found = [self.names[pid] for pid, process in self.ever.items() if alive(process)]
        if in_kernel((self.programs, self.maps)):
            found.append("programs or maps")
        return ", ".join(found)


@dataclass(frozen=True)
class Episode:
    """command: record or dashboard. fault: what happens to `who`, `delay` seconds into a stage."""

    command: str
    probes: tuple[str, ...]
    load: str
    fault: str
    who: str
    stage: str
    delay: float

    def __str__(self) -> str:
        whom = f" {self.who}" if self.fault in ("kill", "stop", "term", "int", "hup", "memory", "files") else ""
        when = f"while {self.stage} +{self.delay}"
        return f"{self.command} of {len(self.probes) + 1} under {self.load}: {self.fault}{whom} {when}"

    def run(self) -> str:
        """What came of it. Raises `AssertionError` where something doesn't hold."""
        with (
            tempfile.TemporaryDirectory(prefix="soak-") as name,
            self._place(Path(name)) as folder,
            self._loaded(),
            Worker(COUNTING, name=NAME) as counted,
        ):
            probes = _own_probe(folder)
            with bare_pty(self._command(folder, probes)) as term:
                return _Course(self, term, folder, probes, counted).follow()

    def _command(self, folder: Path, probes: Path) -> list[str]:
        if self.command == "dashboard":
            return [*COMMAND, "--probes", str(probes)]
        names = ["cpu/syscount", *self.probes]
        return [
            *COMMAND,
            "record",
            "-o",
            str(folder / "tape"),
            "--interval",
            "0.2",
            "-p",
            f"comm={NAME}",
            "--probes",
            str(probes),
            *names,
        ]

    @contextlib.contextmanager
    def _place(self, folder: Path) -> Iterator[Path]:
        """A disk that is soon full, if that is the fault."""
        if self.fault != "disk":
            yield folder
            return
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "soak", str(folder)], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)

    @contextlib.contextmanager
    def _loaded(self) -> Iterator[None]:
        code = ["import ctypes, os, time; ctypes.CDLL(None).prctl(1, 9)"]  # PR_SET_PDEATHSIG, SIGKILL
        code += [f"open('/proc/self/comm', 'w').write('{NAME}')", "while True:"]
        code += [f"    {line}" for line in LOADS[self.load].split("\n")]
        with subprocess.Popen([sys.executable, "-c", "\n".join(code)], start_new_session=True) as load:
            try:
                yield
            finally:
                os.killpg(load.pid, signal.SIGKILL)


def _own_probe(folder: Path) -> Path:
    root = folder / "own"
    shutil.copytree(CHECKOUT / "probes/lab/hello", root / "mine/hello")
    return root


class _Course:
    """An episode that takes place. Whoever waits reads the terminal on: a program blocks where nobody does."""

    def __init__(self, episode: Episode, term: BarePty, folder: Path, probes: Path, counted: Worker) -> None:
        self._episode, self._term, self._folder, self._probes, self._counted = episode, term, folder, probes, counted
        self._watched = Watched(term.process.pid)
        self._made = 0
        self._faulty = episode.fault == "disk"  # something ended it, or may have
        self._what = ""

    def follow(self) -> str:
        steps = {"starting": lambda: None, "loading": self._load, "running": self._run, "ending": self._leave}
        try:
            for stage, step in steps.items():
                if not self._ended():
                    step()
                if stage == self._episode.stage:
                    self._pause(self._episode.delay)
                    self._harm()
            self._wait_for_end()
            self._watched.look()
        finally:
            self._watched.end()
        self._check()
        return self._what or "no such process then"

    # ---------------------------------------------------------------- what happens anyway

    def _ended(self) -> bool:
        return self._term.process.poll() is not None

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        """After a fault that may never be so."""
        if not self._faulty:
            self._term.wait_until(lambda: self._ended() or condition(), what)
            return
        until = time.monotonic() + 5 * SLOWER
        while not (self._ended() or condition() or time.monotonic() > until):
            self._pause(0.1)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._term.terminal >= 0:
                self._term.read(0.02)
            else:
                time.sleep(0.02)

    def _load(self) -> None:
        if self._episode.command == "dashboard":
            self._until(lambda: b"first-minute" in self._term.shown, "the first screen")
            if not self._ended():
                self._term.type("/syscount\r")
        self._until(lambda: "loader" in children(self._term.process.pid) or self._runs(), "a loader")

    def _runs(self) -> bool:
        """Whether all that was requested is attached."""
        count = len(self._episode.probes) + 1
        told = f"(?<!of ){count} probe{'s' * (count > 1)} · "  # "1 of 3 probes" while others are loading
        attached = "System calls by" if self._episode.command == "dashboard" else told
        return re.search(attached.encode(), self._term.shown) is not None

    def _run(self) -> None:
        self._until(self._runs, "the probe is attached")
        for _ in range(3):
            self._counted.work()
            self._made += CALLS
            self._pause(0.1)

    def _leave(self) -> None:
        with contextlib.suppress(OSError):
            if self._episode.command == "dashboard":
                self._term.type("\x1b")
                self._pause(0.3)
                self._term.type("q")
            else:
                self._term.process.send_signal(signal.SIGINT)

    def _wait_for_end(self) -> None:
        """A key may go astray in the middle of something: it is pressed again."""
        for _ in range(4):
            until = time.monotonic() + 15 * SLOWER
            while not self._ended() and time.monotonic() < until:
                if self._term.terminal >= 0:
                    self._term.read()
                else:
                    time.sleep(0.05)
            if self._ended():
                return
            self._leave()
        raise AssertionError(f"it doesn't end: {self._term.shown[-1500:]!r}")

    # ---------------------------------------------------------------- what is done to it

    def _harm(self) -> None:
        episode = self._episode
        if self._ended():
            return
        match episode.fault:
            case "kill" | "term" | "int" | "hup":
                number = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT, "hup": signal.SIGHUP}
                self._to(lambda process: process.send_signal(number[episode.fault]))
            case "stop":
                self._to(self._stop_for_a_while)
                self._faulty = episode.stage == "ending"  # else nothing is lost by it
            case "memory":
                self._to(lambda process: _limit(process, resource.RLIMIT_AS, process.memory_info().vms + (8 << 20)))
            case "files":
                self._to(lambda process: _limit(process, resource.RLIMIT_NOFILE, process.num_fds() + 2))
            case "hang up":
                self._what, self._faulty = "the terminal is gone", True
                self._term.hang_up()
            case "save":
                self._save()
            case "burst":
                self._what, self._faulty = "30 loads", True
                self._term.type("\x1b/runqlat" + "\r" * 30)
            case other:
                self._what, self._faulty = other, other == "disk"

    def _to(self, act: Callable[[psutil.Process], None]) -> None:
        process = self._watched.named(self._episode.who)
        if process is None:
            return
        with contextlib.suppress(psutil.Error, OSError):
            act(process)
            self._what, self._faulty = self._episode.who, True

    def _stop_for_a_while(self, process: psutil.Process) -> None:
        process.send_signal(signal.SIGSTOP)
        self._pause(1.0)
        process.send_signal(signal.SIGCONT)  # to this one: there may be another loader by now

    def _save(self) -> None:
        """Broken C, a broken manifest, and both as they were."""
        self._what = "saved"
        place = self._probes / "mine/hello"
        for name in ("probe.bpf.c", "probe.toml"):
            before = (place / name).read_text()
            for text in ("int x = ;\n", "\x1b[31m\0\ufffd", ""):
                (place / name).write_text(text)
                self._pause(0.4)
            (place / name).write_text(before)

    # ---------------------------------------------------------------- what must hold

    def _check(self) -> None:
        term, watched = self._term, self._watched
        self._until_gone()
        said = term.shown.decode(errors="replace")
        # an interpreter that has not come to us yet answers Ctrl-C with one of its own
        assert "Traceback" not in said or "/ebpftop/" not in said, said[-3000:]
        assert "internal error" not in said, said[-3000:]
        assert watched.most < MOST, f"{watched.most >> 20} MiB"
        if term.terminal >= 0:
            assert termios.tcgetattr(term.terminal) == term.settings, "the terminal is not as it was"
            entered, left = (term.shown.rfind(b"\x1b[?1049" + each) for each in (b"h", b"l"))
            assert entered <= left, "the screen is not as it was"
        tape = self._folder / "tape"
        if tape.exists():
            self._check_tape(tape)

    def _until_gone(self) -> None:
        """All that ever was of it. Its last words are read meanwhile, and after it has ended."""
        until = time.monotonic() + PATIENCE * SLOWER
        while left := self._watched.left():
            assert time.monotonic() < until, f"left after {PATIENCE:.0f} s: {left}"
            self._pause(0.05)
        self._pause(0.05)

    def _check_tape(self, tape: Path) -> None:
        """Readable as far as it was written, and with the calls that were made, or fewer where it ended early."""
        if tape.stat().st_size == 0:
            assert self._faulty, "the tape is empty"
            return
        session, problem = Session(), ""
        try:
            for _, frame in TapeReader(tape):
                session.feed(frame)
        except BadFrame as error:
            problem = str(error)
        assert self._faulty or not problem, problem
        assert "truncated" in problem or "contains no frames" in problem or not problem, problem
        losses = [run.losses for run in session.runs.values()]
        calls = _calls(session)
        lost = any(each.map_full or each.missed for each in losses)
        assert calls <= self._made, f"{calls} calls of {self._made}"
        assert calls == self._made or self._faulty or lost, f"{calls} calls of {self._made}"


def _limit(process: psutil.Process, which: int, most: int) -> None:
    resource.prlimit(process.pid, which, (most, most))


def _calls(session: Session) -> int:
    """Of getppid, which nobody else of that name makes."""
    found = 0
    for run in session.runs.values():
        ledger = run.ledgers.get("by system call")
        if run.probe == "cpu/syscount" and ledger is not None and ledger.rows:
            found += int(ledger.totals["calls"][ledger.rows_of({"key": "getppid"})].sum())
    return found
