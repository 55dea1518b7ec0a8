import signal
from pathlib import Path

import pytest

from ebpftop.supervisor import oom

V2 = ("memory.events", "low 0\noom 3\noom_kill {}\noom_group_kill 0\n", "memory.max", "max")
V1 = (
    "memory.oom_control",
    "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n",
    "memory.limit_in_bytes",
    str(2**63 - 4096),
)


@pytest.fixture(params=[V1, V2], ids=["v1", "v2"])
def group(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group without a limit, in one with 300 MiB."""
    events, text, limit, none = request.param
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    (inner / events).write_text(text.format(4))
    (inner / limit).write_text(none)
    (inner.parent / limit).write_text(str(300 << 20))
    monkeypatch.setattr(oom, "_group", lambda: (inner, tmp_path))
    return inner


def kill(group: Path, total: int) -> None:
    for file in group.glob("memory.[eo]*"):
        file.write_text(file.read_text().replace("oom_kill 4", f"oom_kill {total}"))


def test_each_death_for_lack_of_memory_is_told_with_the_limit(group: Path) -> None:
    killed = oom.Killed()
    kill(group, 6)
    for _ in range(2):
        why = killed.why(signal.SIGKILL)
        assert why.startswith("by the kernel because memory ran out: its control group may use 300 MiB; raise /")
        assert str(group.parent) in why
    assert killed.why(signal.SIGKILL) == ""


def test_other_deaths_have_other_reasons(group: Path) -> None:
    killed = oom.Killed()
    assert killed.why(signal.SIGKILL) == ""
    kill(group, 5)
    assert killed.why(signal.SIGTERM) == ""
    assert killed.why(1 << 8) == ""
    assert killed.why(signal.SIGKILL)


def test_without_a_limit_it_was_the_machine(group: Path) -> None:
    killed = oom.Killed()
    kill(group, 5)
    for file in group.parent.glob("memory.*"):
        file.unlink()
    assert killed.why(signal.SIGKILL) == "by the kernel because the machine ran out of memory"


def test_without_a_control_group_the_machines_count_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oom, "_group", lambda: (None, Path("/")))
    monkeypatch.setattr(oom, "_MACHINE", tmp_path / "vmstat")
    (tmp_path / "vmstat").write_text("pgfault 3\noom_kill 7\n")
    killed = oom.Killed()
    (tmp_path / "vmstat").write_text("pgfault 3\noom_kill 8\n")
    assert killed.why(signal.SIGKILL) == "by the kernel because the machine ran out of memory"


def test_without_proc_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oom, "_MEMBERSHIP", tmp_path / "cgroup")
    monkeypatch.setattr(oom, "_MACHINE", tmp_path / "vmstat")
    assert oom.Killed().why(signal.SIGKILL) == ""
