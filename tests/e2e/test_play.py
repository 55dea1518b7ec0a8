"""Playbooks: on the command line, and in a real terminal on the real kernel."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.command import complaint, ebpftop
from tests.support.launched import launcher, left
from tests.support.terminal import terminal

COMMAND = [sys.executable, "-m", "ebpftop"]
MINE = """\
title = "Mine"
summary = "All there is to see."

[[probes]]
id = "cpu/syscount"
question = "Who calls?"

[[probes]]
id = "disk/nowhere"
question = "Is it there?"

[[probes]]
id = "lab/null-deref"
question = "Does it run?"

[[probes]]
id = "lab/hello"
question = "Who leaves a CPU?"
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of probes that holds a playbook; one of the probes it names isn't there."""
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "mine.toml").write_text(MINE)
    return tmp_path


def missing(folder: Path) -> str:
    return f"{folder}/playbooks/mine.toml:9: probes[1].id: unknown probe 'disk/nowhere'"


@pytest.mark.parametrize("name", ["first-minut", "frist-minute"])
def test_an_unknown_playbook_is_answered_with_the_nearest(name: str) -> None:
    assert complaint(ebpftop("play", name), 2) == f"unknown playbook '{name}'; did you mean first-minute?"


def test_a_playbook_needs_a_terminal() -> None:
    assert complaint(ebpftop("play", "disk-slow"), 2).startswith("the dashboard needs a terminal")


def test_the_catalog_lists_playbooks_and_json_holds_probes_alone(mine: Path) -> None:
    done = ebpftop("list", "--probes", mine)
    assert "\nmine\tplaybook\tMine\tAll there is to see.\t\n" in done.stdout
    assert "\ndisk-slow\tplaybook\tThe disk is slow\t" in done.stdout
    assert complaint(done, 1).startswith(missing(mine))
    listed = json.loads(ebpftop("list", "--json").stdout)
    assert {"id", "views"} <= set(listed[0])
    assert not any("slow" in entry["id"] and "playbook" in entry["id"] for entry in listed)


def test_check_tells_what_a_playbook_names_and_the_catalog_lacks(mine: Path) -> None:
    for path in (mine, mine / "playbooks", mine / "playbooks" / "mine.toml"):
        assert complaint(ebpftop("check", path), 1).startswith(missing(mine))
    (mine / "playbooks" / "mine.toml").write_text(MINE.replace("disk/nowhere", "cpu/runqlat"))
    done = ebpftop("check", mine)
    assert (done.returncode, done.stdout) == (0, "mine: well-formed; probes found in the catalog: 4\n")


@pytest.mark.bpf
def test_a_playbook_opens_as_tiles_that_are_zoomed_and_the_rest_is_explained(mine: Path) -> None:
    with terminal([*COMMAND, "play", "mine", "--probes", str(mine)], 120, 36) as term:
        screen = term.wait_for("● syscount · Who calls?", "● hello · Who leaves a CPU?", "v shows why")
        assert "✗ no such probe in the catalog" in screen
        assert "All there is to see." in screen
        term.wait_for("pid", "calls/s")
        term.keys("Enter")
        term.wait_for("Catalog", "System calls by process", "z tiles")
        term.keys("z")
        term.wait_for("● hello · Who leaves a CPU?")
        term.keys("Escape")
        term.wait_for("Catalog", "● syscount")
        term.keys("q")
        term.wait_for_end()
        assert term.status() == 0


@pytest.mark.bpf
def test_a_playbook_opens_from_the_catalog_and_shows_one_tile_at_a_time_where_there_is_no_room() -> None:
    with terminal(COMMAND, 80, 24) as term:
        term.wait_for("What is wrong?", "who-did-that")
        term.keys("/")
        term.type("who-did")
        term.wait_for("▾ playbooks", "≡ who-did-that")
        term.keys("Enter")
        first = term.wait_for("Who did that?", "● execsnoop")
        assert first.count("╭") == 1
        term.keys("Tab")
        term.wait_for("killsnoop · Who sent which signal, and to whom?")
        term.keys("q")
        term.wait_for_end()


@pytest.mark.bpf
def test_loads_that_began_before_the_dashboard_are_taken_up_by_it(
    mine: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    notes = tmp_path_factory.mktemp("notes")  # outside of the folder whose files are watched
    with terminal(launcher(notes, "play", "mine", "--no-sudo", "--probes", str(mine)), 120, 36) as term:
        term.wait_for("● syscount · Who calls?", "● hello · Who leaves a CPU?", "v shows why")
        term.keys("q")
        term.wait_for_end()
    assert [each.name for each in left(notes)].count("ebpftop:loader") == 4  # three of the playbook's, and the census's
