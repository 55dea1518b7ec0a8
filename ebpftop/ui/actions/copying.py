"""A probe that isn't the user's to edit, and the command that makes a copy which is."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import PurePath

from ebpftop.frames.messages import ProbeInfo

CATEGORY = "mine"
FOLDER = "~/ebpftop-probes"


def advice(probe: ProbeInfo, probes: Iterable[ProbeInfo]) -> tuple[str, str]:
    """What to do, and the line for a shell that does it: it copies the probe into a folder of this catalog that is
    watched, where it appears by itself, or into a new one, and starts on that.
    """
    name = f"{CATEGORY}/{probe.id.partition('/')[2]}"
    new = f"{_program()} new --from {shlex.quote(probe.id)}"
    if watched := next((each.file for each in probes if each.file), ""):
        folder = PurePath(watched).parents[2]
        return f"In another terminal; {name} appears in the catalog then:", f"{new} {shlex.quote(str(folder / name))}"
    return "This makes a copy and starts on it:", f"{new} {FOLDER}/{name} && {_program()} --probes {FOLDER}"


def _program() -> str:
    """How it is called from a shell, also where it was found by a PATH that sudo doesn't know."""
    if shutil.which("ebpftop"):
        return "ebpftop"
    script = os.path.abspath(sys.argv[0])
    return shlex.join([script] if os.path.basename(script) == "ebpftop" else [sys.executable, "-m", "ebpftop"])
