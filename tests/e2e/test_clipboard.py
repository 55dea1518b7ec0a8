"""What is copied is in tmux's buffer, with tmux as it comes."""

from __future__ import annotations

from tests.support.processes import eventually
from tests.support.shell import PROGRAM, framed, line, shell


def test_a_view_is_copied_through_tmux() -> None:
    with shell(120, 40) as term:
        line(term, framed(f"{PROGRAM} demo"))
        term.wait_for("Catalog", "p99")
        assert term.copied() == ""
        term.keys("y")
        eventually(lambda: "p99" in term.copied(), "tmux has it")
        term.keys("q")
        term.wait_for("ended: 0, terminal: same")
