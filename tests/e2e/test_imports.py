"""What the real processes have imported by their end: nothing of root's reads a log, the dashboard has no BCC."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.dashboard import load
from tests.support.launched import launcher, left
from tests.support.terminal import terminal

pytestmark = pytest.mark.bpf

HEAVY = {"textual", "plotext", "rich", "asyncio"}


def test_each_process_imports_what_it_is_for(tmp_path: Path) -> None:
    with terminal(launcher(tmp_path, "--no-sudo"), 120, 36) as term:
        term.wait_for("Catalog", "─ ○ ")
        load(term, "hello")
        term.wait_for("● hello")
        load(term, "null-deref")
        term.wait_for("rejected by the verifier", "invalid mem access")
        term.keys("Escape")
        term.wait_for("● hello")
        term.keys("q")
        term.wait_for_end()
    notes = left(tmp_path)
    (dashboard,) = (each.modules for each in notes if each.name == "ebpftop:dashboa")
    (collector,) = (each.modules for each in notes if each.name == "ebpftop:collect")
    (supervisor,) = (each.modules for each in notes if not each.name.startswith("ebpftop:"))
    loaders = [each.modules for each in notes if each.name == "ebpftop:loader"]
    assert len(loaders) == 3  # and the census's
    for modules in (supervisor, collector, *loaders):
        assert rooms(modules) & {"verifier", "model", "ui", "export"} == set()
        assert modules & HEAVY == set()
    for modules in (supervisor, *loaders):
        assert "numpy" not in modules
    for modules in (supervisor, collector, dashboard):
        assert "bcc" not in modules
    assert all("bcc" in modules for modules in loaders)
    assert "numpy" in collector
    assert {"textual", "ebpftop.verifier.diagnosis"} <= dashboard


def rooms(modules: frozenset[str]) -> set[str]:
    """The rooms of ours that modules are of."""
    return {name.split(".")[1] for name in modules if name.startswith("ebpftop.")}
