"""The command that makes an editable copy of a probe."""

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
    """An explanation, and a shell command. The command copies the probe into a watched folder of this catalog, where it
    appears by itself. Without such a folder it copies the probe into a new one and starts ebpftop with it.
    """
    name = f"{CATEGORY}/{probe.id.partition('/')[2]}"
    new = f"{_program()} new --from {shlex.quote(probe.id)}"
    if watched := next((each.file for each in probes if each.file), ""):
        folder = PurePath(watched).parents[2]
        return (
            f"Run this in another terminal, and {name} appears in the catalog:",
            f"{new} {shlex.quote(str(folder / name))}",
        )
    return (
        "This command makes a copy and starts ebpftop with it:",
        f"{new} {FOLDER}/{name} && {_program()} --probes {FOLDER}",
    )


def _program() -> str:
    """The command that runs ebpftop from a shell, even if sudo's PATH doesn't include it."""
    if shutil.which("ebpftop"):
        return "ebpftop"
    script = os.path.abspath(sys.argv[0])
    return shlex.join([script] if os.path.basename(script) == "ebpftop" else [sys.executable, "-m", "ebpftop"])
