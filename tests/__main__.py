"""`python -m tests`: all tests, in two processes side by side, as those that trace wait most of the time.

One runs what traces (marker `bpf`), in its order, so nothing that is traced or counted has another such test beside it.
The other runs the rest, also those that trace but don't mind (marker `beside`), and yields where both want a processor.
Arguments go to both: `python -m tests -k tape`.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
KERNEL = ["tests/live", "tests/e2e", "-m", "bpf and not beside"]
APART = ["tests/ui", "tests/unit", "tests/e2e", "-m", "not bpf or beside"]
PYTEST = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "--durations=25"]
NO_TESTS = 5  # pytest's status where the arguments leave none
COUNTED = ("passed", "failed", "error", "skipped")


class Part:
    """One pytest, whose lines are passed on with its name in front."""

    def __init__(self, name: str, arguments: list[str], niceness: int = 0) -> None:
        self.name, self.summary, self.seconds = name, "", 0.0
        self.failures: list[str] = []
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            ["nice", "-n", str(niceness), *PYTEST, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=CHECKOUT,
        )
        self._passing_on = threading.Thread(target=self._pass_on)
        self._passing_on.start()

    def _pass_on(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            print(f"{self.name:6} | {line.rstrip()}", flush=True)
            self.summary = line.strip("= \n") or self.summary
            if line.startswith(("FAILED ", "ERROR ")):
                self.failures.append(line.rstrip())
        self.seconds = time.monotonic() - self._began

    def wait(self) -> bool:
        """Whether all its tests passed, once it has ended."""
        self._passing_on.join()
        return self._process.wait() in (0, NO_TESTS)

    def end(self) -> None:
        self._process.terminate()


def main(arguments: list[str]) -> int:
    """Run both; 0 if all tests passed."""
    parts = [
        Part("kernel", [*KERNEL, *arguments]),
        Part("apart", [*APART, *arguments], niceness=10),
    ]

    def end(*_: object) -> None:
        for part in parts:
            part.end()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both, and they say what they had
    passed = [part.wait() for part in parts]
    print()
    for part in parts:
        print(f"{part.name:6} | {part.summary}")
    for part in parts:
        for failure in part.failures:
            print(failure)
    found = {name: sum(_counted(part.summary, name) for part in parts) for name in COUNTED}
    print(f"\n{found['passed']} passed, {found['failed'] + found['error']} failed, {found['skipped']} skipped")
    return 0 if all(passed) else 1


def _counted(summary: str, name: str) -> int:
    """A number in pytest's last line."""
    return sum(map(int, re.findall(rf"(\d+) {name}", summary)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
