"""What stands out on the running kernel: a process that looks for a file that isn't there, again and again."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.command import CHECKOUT, ebpftop
from tests.support.tracing import any_kernel
from tests.support.workloads import Worker

pytestmark = [pytest.mark.bpf, any_kernel]

NAME = f"seeker{os.getpid()}"
FILE = f"/no/such/{NAME}"
# More often than all else that looks for files here, until it is ended.
SEEK = """
import time
def work():
    while True:
        for _ in range(60):
            try: os.open(sys.argv[1], os.O_RDONLY)
            except FileNotFoundError: pass
        time.sleep(0.01)
"""


def test_who_looks_in_vain_is_named_with_the_file_and_the_error() -> None:
    with Worker(SEEK, FILE, name=NAME) as seeker:
        seeker.start()
        done = ebpftop("triage", "first-look", "--for", 5, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert len(done.stdout.encode()) <= 4097
    assert len(said["probes"]) == (CHECKOUT / "probes/playbooks/first-look.toml").read_text().count("[[probes]]")
    assert said["missing"] == {}
    (found,) = (each for each in said["findings"] if each["evidence"][0]["probe"] == "disk/opensnoop")
    cause = found["evidence"][0]
    assert (cause["who"]["name"], cause["who"]["pid"]) == (NAME, seeker.pid)
    assert "error ENOENT" in cause["text"]
    assert 100 < cause["now"] <= 6000 * 1.5  # no more than it can ask for, and what others do besides
    assert {each["probe"] for each in found["more"]} == {"disk/statsnoop", "cpu/execsnoop"}


def test_a_process_that_is_stopped_is_told_by_triage(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "mine.toml").write_text(
        'title = "Mine"\nsummary = "Locks."\n[[probes]]\nid = "cpu/futexlat"\nquestion = "Who?"\n'
    )
    with Worker("def work(): pass", name=NAME) as worker:
        os.kill(worker.pid, signal.SIGSTOP)
        done = ebpftop("triage", "mine", "--for", 2, "--probes", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    (told,) = [each for each in json.loads(done.stdout)["hung"] if each["who"] == f"{NAME} ({worker.pid})"]
    assert (told["state"], told["threads"]) == ("stopped", 1)


def test_a_playbook_of_ones_own_is_traced_with_its_parameters_as_text(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "mine.toml").write_text(
        'title = "Mine"\nsummary = "Processes."\n[[probes]]\nid = "cpu/pidpersec"\nquestion = "Who?"\n'
        f'params = {{ comm = "{NAME}" }}\n'
    )
    done = ebpftop("triage", "mine", "--for", 2, "--probes", tmp_path)
    assert done.returncode == 0, done.stderr
    first, verdict, *_, last = done.stdout.splitlines()
    assert first.startswith("ebpftop triage · mine · ")
    assert verdict.startswith("nothing stands out") or verdict == ""  # but for the machine's own pressure
    assert last == "probes: pidpersec; nothing lost"
