"""`make test-kernels`: the live tests on other kernels, each booted by virtme-ng on this machine's root file system.

Emulated in software: KVM may be present and not work. All kernels run at once, as a guest by itself leaves a processor
idle most of the time. Arguments after the versions go to pytest: `python -m tests.kernels 6.12 -k runqlat`.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

from tests.kernels.guest import Guest, counts
from tests.kernels.images import image

VERSIONS = ("6.1", "6.12")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ebpftop" / "kernels"


def main(arguments: list[str]) -> int:
    """Boot the kernels and wait for them; 0 if every guest's tests passed."""
    versions = [argument for argument in arguments if re.fullmatch(r"\d+\.\d+", argument)]
    rest = [argument for argument in arguments if argument not in versions]
    kernels = [image(version, CACHE) for version in versions or VERSIONS]
    guests: list[Guest] = []
    try:
        for kernel in kernels:
            guests.append(Guest(kernel, rest))
        running = list(guests)
        while running:
            running = [guest for guest in running if guest.running()]
            time.sleep(0.5)
    finally:
        for guest in guests:
            guest.end()
    return report(guests)


def report(guests: list[Guest]) -> int:
    """Print kernel × result and the sum of all tests; 0 if all is well."""
    found = [counts(guest.summary()) for guest in guests]
    print(f"\n{'kernel':24} {'result':10} {'time':>6}  tests")
    for guest in guests:
        result = {0: "passed", None: "no result"}.get(guest.status, "failed")
        print(f"{guest.release:24} {result:10} {guest.seconds:4.0f} s  {guest.summary()}")
    passed, failed, errors, skipped = (sum(one[name] for one in found) for name in found[0])
    print(f"\n{passed} passed, {failed + errors} failed, {skipped} skipped")
    return 0 if all(guest.status == 0 for guest in guests) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # no guest is left behind
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
