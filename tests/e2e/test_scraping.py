"""The exporter on the live kernel: what it tells is what was done, and nothing stays when it ends."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.command import CHECKOUT, COMMAND, complaint, ebpftop
from tests.support.holding import holding
from tests.support.processes import SLOWER, eventually
from tests.support.workloads import Worker

EXECS, CALLS = 97, 10_007


class Exporter:
    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        request = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text"})
        with urllib.request.urlopen(request, timeout=20 * SLOWER) as answer:
            text = answer.read().decode()
        families = text_string_to_metric_families(text)
        samples = (sample for family in families for sample in family.samples)
        return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())


@contextmanager
def exporter(*arguments: str, before: Sequence[str] = ()) -> Iterator[Exporter]:
    command = [*before, *COMMAND, "exporter", *arguments, "--listen", "127.0.0.1:0", "--interval", "0.5"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        assert process.stderr is not None
        try:
            lines = iter(process.stderr.readline, "")
            found = next(filter(None, (re.search(r"http://127\.0\.0\.1:(\d+)/metrics", line) for line in lines)), None)
            assert found
            yield Exporter(process, int(found[1]))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60 * SLOWER)


@pytest.mark.bpf
def test_it_tells_what_was_done(tmp_path: Path) -> None:
    program = shutil.copy("/bin/true", tmp_path / "counted-execs")  # nobody else's
    calls = f"def work():\n    for _ in range({CALLS}): os.sched_get_priority_max(0)"
    with exporter("execsnoop", "syscount", "runqlat") as one, Worker(calls, name="callers") as worker:
        eventually(lambda: one.value("ebpftop_probe_up") == 3, "all probes are attached", 60)
        worker.work()
        for _ in range(EXECS):
            subprocess.run([program], check=True)
        by_call = "ebpftop_syscount_by_system_call_calls_total"
        eventually(lambda: one.value(by_call, system_call="sched_get_priority_max") >= CALLS, "the calls are told", 30)
        eventually(
            lambda: one.value("ebpftop_execsnoop_events_total", comm="counted-execs") >= EXECS, "the programs are", 30
        )
        assert one.value("ebpftop_probe_lost_total") == 0
        assert one.value(by_call, system_call="sched_get_priority_max") == CALLS
        assert one.value("ebpftop_execsnoop_events_total", comm="counted-execs") == EXECS
        latency = "ebpftop_runqlat_latency_seconds"
        assert one.value(f"{latency}_count") > 0
        listening = _listener(one.port, one.process.pid)
        if os.geteuid() == 0 and os.environ.get("SUDO_UID"):
            assert Path(f"/proc/{listening}").stat().st_uid != 0
    assert one.process.returncode == 0


def _listener(port: int, parent: int) -> int:
    """The process that has the port; it is none that may load programs."""
    inode = next(
        words[9]
        for words in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if words[1] == f"0100007F:{port:04X}" and words[3] == "0A"
    )
    for pid in [parent, *map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())]:
        links = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()]
        if f"socket:[{inode}]" in links:
            status = Path(f"/proc/{pid}/status").read_text()
            (capabilities,) = re.findall(r"CapEff:\s+([0-9a-f]+)", status)
            assert int(capabilities, 16) == 0
            return pid
    raise AssertionError("nobody has the port")


@pytest.mark.bpf
def test_an_address_that_is_taken() -> None:
    with exporter("hello") as one:
        done = ebpftop("exporter", "hello", "--listen", f"127.0.0.1:{one.port}")
        assert complaint(done, 1) == f"can't listen on 127.0.0.1 port {one.port}: Address already in use"


@pytest.mark.parametrize("text", ["9435", "host:", "1.2.3.4:70000", "host:x"])
def test_a_bad_address(text: str) -> None:
    done = ebpftop("exporter", "hello", "--listen", text)
    assert done.returncode == 2
    assert "is not ADDRESS:PORT" in done.stderr


# ---------------------------------------------------------------- its file


def written(public: Path, text: str) -> Path:
    file = public / "exporter.toml"
    file.write_text(text)
    file.chmod(0o644)
    return file


@pytest.mark.bpf
def test_a_file_says_what_is_served(public: Path) -> None:
    calls = f"def work():\n    for _ in range({CALLS}): os.sched_get_priority_max(0)"
    with Worker(calls, name="wanted") as wanted, Worker(calls, name="other") as other:
        text = f'top = 3\n[[probes]]\nid = "syscount"\nparams = {{ pid = {wanted.pid} }}\n'
        with exporter("--config", str(written(public, text))) as one:
            eventually(lambda: one.value("ebpftop_probe_up") == 1, "the probe is attached", 60)
            other.work()
            wanted.work()
            by_call = "ebpftop_syscount_by_system_call_calls_total"
            eventually(lambda: one.value(by_call, system_call="sched_get_priority_max") > 0, "the calls are told", 30)
            assert one.value(by_call, system_call="sched_get_priority_max") == CALLS


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "1: probes: missing, expected an array of tables"),
        ("probes = []", "1: probes: expected at least one"),
        ('listen = "host"\n[[probes]]\nid = "hello"', "1: listen: expected ADDRESS:PORT"),
        ('[[probes]]\nid = "hello"\n\n[tops]\n', "4: tops: unknown key; did you mean top?"),
        ('top = 0\n[[probes]]\nid = "hello"', "1: top: expected 1 to 1000000, not 0"),
        ('interval = nan\n[[probes]]\nid = "hello"', "1: interval: expected 0.05 to 604800, not nan"),
        ('budget = true\n[[probes]]\nid = "hello"', "1: budget: expected a number"),
        ('folders = ["mine"]\n[[probes]]\nid = "hello"', "1: folders: expected absolute paths"),
        ('[[probes]]\nid = "helo"', "2: probes[0].id: unknown probe 'helo'; did you mean lab/hello"),
        ('[[probes]]\nid = "hello"\n[[probes]]\nid = "lab/hello"', "4: probes[1].id: lab/hello is named twice"),
        ('[[probes]]\nid = "runqlat"\nparams = { pidd = 1 }', "3: probes[0].params: cpu/runqlat: pidd: no such"),
        ('[[probes]]\nid = "runqlat"\nparams = { pid = "x" }', "3: probes[0].params: cpu/runqlat: pid: "),
        ("listen =", "1: Invalid value"),
        ("x = " + "[" * 4000, "1: nested too deeply"),
    ],
)
def test_a_mistake_in_it_has_file_line_and_key(public: Path, text: str, line: str) -> None:
    file = written(public, text)
    assert complaint(ebpftop("exporter", "--config", file), 2).startswith(f"{file}:{line}")


def test_what_is_no_file_of_ones_own_is_refused(public: Path) -> None:
    file = written(public, '[[probes]]\nid = "hello"\n')
    (public / "link").symlink_to(file)
    (public / "folder").mkdir()
    os.mkfifo(public / "pipe")
    (public / "huge").write_text("#" * (1 << 20))
    for name, why in {
        "link": "a symbolic link, which is not followed",
        "folder": "Is a directory",
        "pipe": "not a regular file",
        "huge": "larger than 256 KiB",
        "none": "No such file or directory",
    }.items():
        assert complaint(ebpftop("exporter", "--config", public / name), 2) == f"{public / name}: {why}"
    file.chmod(0o666)
    assert complaint(ebpftop("exporter", "--config", file), 2).startswith(f"{file}: users other than ")
    file.chmod(0o644)
    public.chmod(0o777)
    assert "exporter.toml in it is ignored" in complaint(ebpftop("exporter", "--config", file), 2)


@pytest.mark.root
def test_it_is_read_with_the_rights_of_who_typed_sudo(public: Path) -> None:
    file = written(public, '[[probes]]\nid = "hello"\n')
    file.chmod(0o600)
    done = ebpftop("exporter", "--config", file, environment={"SUDO_UID": "65534", "SUDO_GID": "65534"})
    assert complaint(done, 2) == f"{file}: Permission denied"


def test_rules_are_for_its_probes(public: Path) -> None:
    file = written(public, '[[probes]]\nid = "runqlat"\n')
    done = ebpftop("exporter", "--rules", "--config", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(re.findall(r"^- name: \"(.*)\"", done.stdout, re.MULTILINE)) == {"ebpftop", "ebpftop cpu/runqlat"}


def test_probes_come_from_one_place(public: Path) -> None:
    file = written(public, '[[probes]]\nid = "hello"\n')
    for more in (["hello"], ["-p", "pid=1"]):
        assert "not in both" in complaint(ebpftop("exporter", "--config", file, *more), 2)


# ---------------------------------------------------------------- the package's unit

DEBIAN = CHECKOUT / ".ci/debian"


def unit() -> dict[str, str]:
    """The [Service] section."""
    section = (DEBIAN / "ebpftop-exporter.service").read_text().partition("[Service]\n")[2].partition("\n[Install]")[0]
    return dict(line.split("=", 1) for line in section.splitlines() if "=" in line and not line.startswith("#"))


@pytest.mark.bpf
def test_the_unit_serves_its_file_with_its_capabilities(public: Path) -> None:
    """With a budget: what it runs first as root has the kernel account, what it runs at the end no longer."""
    service = unit()
    assert service["AmbientCapabilities"] == service["CapabilityBoundingSet"]
    _, command, *arguments = shlex.split(service["ExecStart"])
    assert (command, arguments[-2:]) == ("exporter", ["--config", "/etc/ebpftop/exporter.toml"])
    file = written(public, (DEBIAN / "exporter.toml").read_text())
    before = Path("/proc/sys/kernel/bpf_stats_enabled").read_text()
    subprocess.run(shlex.split(service["ExecStartPre"].removeprefix("+")), check=True)
    try:
        caps = holding(*service["AmbientCapabilities"].split())
        with exporter("--no-sudo", "--config", str(file), before=caps) as one:
            eventually(lambda: one.value("ebpftop_probe_up") == 3, "its probes are attached", 60)
            eventually(lambda: one.value("ebpftop_probe_run_seconds_total") > 0, "their cost is known", 30)
            eventually(lambda: one.value("ebpftop_runqlat_latency_seconds_count") > 0, "something was counted", 30)
            _listener(one.port, one.process.pid)
    finally:
        subprocess.run(shlex.split(service["ExecStopPost"].removeprefix("+")), check=True)
        assert Path("/proc/sys/kernel/bpf_stats_enabled").read_text() == "0\n"
        Path("/proc/sys/kernel/bpf_stats_enabled").write_text(before)
    assert one.process.returncode == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd's own check of a unit")
def test_systemd_takes_the_unit(public: Path) -> None:
    file = public / "ebpftop-exporter.service"
    file.write_text((DEBIAN / file.name).read_text().replace("/usr/bin/ebpftop", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", file], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if file.name in line] == []
