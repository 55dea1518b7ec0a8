"""From a refusal to a running probe in one sitting: read the panel, mend the file, save it, see it run."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from tests.support.command import CHECKOUT
from tests.support.dashboard import load, supervisor_below
from tests.support.processes import children, eventually, held_by, in_kernel
from tests.support.shell import PROGRAM, framed, line, shell
from tests.support.terminal import Terminal

pytestmark = pytest.mark.bpf

COMPLAINT = "R0 invalid mem access 'map_value_or_null'"
# Does what a person does in an editor: changes the line it was opened at, in the terminal it was given.
EDITOR = """#!/bin/sh
printf 'editing %s at %s: ' "$(basename "$2")" "$1"
read -r what
[ "$what" = mend ] || exit 3
sed -i "${1#+}s/.*/    if (count)\\n        __sync_fetch_and_add(count, 1);/" "$2"
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder with a copy of lab/null-deref, and an editor beside it."""
    shutil.copytree(CHECKOUT / "probes/lab/null-deref", tmp_path / "probes/mine/calls")
    editor = tmp_path / "vi"
    editor.write_text(EDITOR)
    editor.chmod(0o755)
    return tmp_path


def running(term: Terminal) -> set[int]:
    return held_by(children(term.pid())["collect"].pid)[0]


def test_a_refused_probe_is_mended_without_leaving_the_dashboard(copied: Path) -> None:
    source = copied / "probes/mine/calls/probe.bpf.c"
    with shell(120, 40) as term:
        line(term, framed(f"EDITOR={copied}/vi {PROGRAM} --probes {copied}/probes"))
        term.wait_for("Catalog", "─ ○ ")
        load(term, "mine/calls")
        term.wait_for(COMPLAINT, "line 9", "e edit")
        term.keys("e")
        term.wait_for("editing probe.bpf.c at +9:")
        term.keys("C-c")  # is the editor's
        term.wait_for("e edit", COMPLAINT)
        term.keys("e")
        term.wait_for("editing")
        line(term, "mend")
        term.wait_for("mine/calls · runs now", f"before saving  ✗ line 9: {COMPLAINT}", "if (count)")
        term.keys("Escape")
        term.wait_for("● calls", "An unchecked map lookup ·")
        first = running(term)

        good = source.read_text()
        source.write_text(good.replace("if (count)", ""))  # by another editor, elsewhere
        term.wait_for("mine/calls: rejected by the verifier")
        assert running(term) >= first
        new = source.with_suffix(".new")
        new.write_text(good.replace("if (count)", "if (count && tgid)"))
        new.rename(source)
        term.wait_for("mine/calls: the saved version runs now")
        eventually(lambda: bool(first - running(term)), "the version before is detached")
        last = held_by(children(term.pid())["collect"].pid)
        term.keys("q")
        term.wait_for("ended: 0, terminal: same")
        eventually(lambda: not in_kernel(last), "nothing of ours is left in the kernel")


def test_told_to_end_while_the_editor_has_the_terminal(copied: Path) -> None:
    with shell(120, 40) as term:
        line(term, framed(f"VISUAL={copied}/vi {PROGRAM} --probes {copied}/probes"))
        term.wait_for("Catalog", "─ ○ ")
        load(term, "mine/calls")
        term.wait_for(COMPLAINT, "e edit")
        term.keys("e")
        term.wait_for("editing probe.bpf.c at +9:")
        os.kill(supervisor_below(term.pid()), signal.SIGTERM)
        term.wait_for("ended: 143, terminal: same")
        eventually(lambda: not psutil.Process(term.pid()).children(recursive=True), "the editor has ended as well")
