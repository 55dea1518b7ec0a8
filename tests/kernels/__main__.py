"""`make test-kernels`: the live tests on other kernels, each booted by virtme-ng on this machine's root file system.

Emulated in software: KVM may be present and not work. All kernels run at once, as a guest by itself leaves a processor
idle most of the time. Arguments after the versions go to pytest: `python -m tests.kernels 6.12 -k runqlat`. Without any
the matrix of probes and kernels is shown at the end, with the running kernel's column if its tests ran before, and
what falls behind the matrix on record fails the run.
"""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from ebpftop.catalog.folders import read_catalog
from tests.kernels import matrix
from tests.kernels.guest import FOLDER, Guest, counts
from tests.kernels.images import image
from tests.kernels.matrix import seen
from tests.support.held import CHECKOUT, place

VERSIONS = ("6.1", "6.12")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ebpftop" / "kernels"


def main(arguments: list[str]) -> int:
    """Boot the kernels and wait for them; 0 if every guest's tests passed."""
    versions = [argument for argument in arguments if re.fullmatch(r"(\d+\.\d+|newest)(-arm64)?", argument)]
    rest = [argument for argument in arguments if argument not in versions]
    images = [image(version, CACHE) for version in versions or VERSIONS]
    guests: list[Guest] = []
    _compile_tests()
    try:
        for each in images:
            guests.append(Guest(each, rest))
        running = list(guests)
        while running:
            running = [guest for guest in running if guest.running()]
            time.sleep(0.5)
    finally:
        for guest in guests:
            guest.end()
    return report(guests, rest)


def _compile_tests() -> None:
    """Leave the tests as bytecode, so that no guest has to compile them in emulation."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", FOLDER]
    subprocess.run(command, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL, check=False)


def report(guests: list[Guest], rest: list[str]) -> int:
    """Print kernel × result and the sum of all tests; 0 if all is well."""
    found = [counts(guest.summary()) for guest in guests]
    print(f"\n{'kernel':24} {'result':10} {'time':>6}  tests")
    for guest in guests:
        result = {0: "passed", None: "no result"}.get(guest.status, "failed")
        print(f"{guest.release:24} {result:10} {guest.seconds:4.0f} s  {guest.summary()}")
    fallen = [] if rest else _matrix([guest.release for guest in guests])
    passed, failed, errors, skipped = (sum(one[name] for one in found) for name in found[0])
    print(f"\n{passed} passed, {failed + errors} failed, {skipped} skipped")
    return 0 if not fallen and all(guest.status == 0 for guest in guests) else 1


def _matrix(releases: list[str]) -> list[str]:
    """Print what was seen of each probe on these kernels and the running one; a line for each that fell behind."""
    probes = read_catalog(system=Path("/nonexistent")).probes
    files = [place(release) for release in (*releases, platform.release())]
    kernels = dict(seen(file, probes) for file in files if file.exists())
    print("\n" + matrix.table(kernels) + "\n")
    lines = matrix.fallen(matrix.read_record(), kernels)
    print("".join(f"{line}\n" for line in lines))
    return lines


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # no guest is left behind
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
