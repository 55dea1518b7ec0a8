"""Who runs in which container, pod and unit: cgroups and state files laid out as the runtimes lay them out."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ebpftop.frames.messages import Process
from ebpftop.frames.tape import TapeWriter
from tests.support import cgroups, runtimes
from tests.support.runtimes import CONTAINERD, CRIO, DOCKER, PATHS, PODMAN
from tests.support.tracer import CHECKOUT
from tests.support.tracing import Tracing, any_kernel, trace

pytestmark = pytest.mark.bpf

UNIT = "/ebpftop-test.slice/ebpftop-test-backup.service"
RUN = 7  # short processes in each container
NAMES = {
    DOCKER: {"container": "web", "pod": "", "unit": ""},
    CONTAINERD: {"container": "api", "pod": "shop/cart-0", "unit": ""},
    CRIO: {"container": "sidecar", "pod": "shop/cart-1", "unit": ""},
    PODMAN: {"container": "db", "pod": "", "unit": ""},
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of no probes: who traces with `probes=` it has another "/" for what runtimes keep on disk."""
    monkeypatch.setenv("RUNTIMES_ROOT", str(tmp_path / "root"))
    (tmp_path / "probes").mkdir()
    runtimes.all_of_them(tmp_path / "root")
    return tmp_path / "probes"


def places(rows: list[dict[str, Any]], comm: str) -> list[dict[str, Any]]:
    return [{name: row[name] for name in ("container", "pod", "unit")} for row in rows if row["comm"] == comm]


def known(tracing: Tracing, rows: Callable[[], list[dict[str, Any]]], comm: str, expected: dict[str, Any]) -> None:
    """Wait until so many processes of this name are in that place, and none elsewhere."""
    tracing.until(lambda: len(places(rows(), comm)) >= RUN, f"{comm} has run")
    assert places(rows(), comm) == [expected] * RUN


@pytest.mark.parametrize(
    "container",
    [DOCKER, *(pytest.param(each, marks=any_kernel) for each in NAMES if each != DOCKER)],
    ids=["docker", "containerd", "cri-o", "podman"],
)
def test_a_program_of_some_milliseconds_has_its_containers_name(root: Path, container: str) -> None:
    with trace("cpu/execsnoop", probes=root) as traced, cgroups.group(cgroups.v2(), PATHS[container]) as folder:
        traced.until_named()
        cgroups.run_in(folder, "true", 1)  # with this one the container becomes known
        traced.until(lambda: len(places(traced.events(), "true")) >= 1, "true has run")
        before = len(places(traced.events(), "true"))
        cgroups.run_in(folder, "true", RUN)
        traced.until(lambda: len(places(traced.events(), "true")) >= before + RUN, "true has run")
    assert places(traced.events(), "true")[before:] == [NAMES[container]] * RUN


@any_kernel
def test_a_group_that_is_gone_again_and_a_unit_have_their_names(root: Path) -> None:
    with trace("cpu/execsnoop", probes=root) as traced:
        traced.until_named()
        with cgroups.group(cgroups.v2(), UNIT) as folder:
            cgroups.run_in(folder, "true", RUN)
        assert not folder.exists()
        known(traced, traced.events, "true", {"container": "", "pod": "", "unit": "ebpftop-test-backup.service"})


@any_kernel
def test_on_version_1_the_deepest_hierarchy_counts(root: Path) -> None:
    place = cgroups.v1()
    with trace("cpu/execsnoop", probes=root) as traced, cgroups.group(place, PATHS[DOCKER] + "/a/b/c/d") as folder:
        traced.until_named()
        cgroups.run_in(folder, "true", 1)
        traced.until(lambda: len(places(traced.events(), "true")) >= 1, "true has run")
        before = len(places(traced.events(), "true"))
        cgroups.run_in(folder, "true", RUN)
        traced.until(lambda: len(places(traced.events(), "true")) >= before + RUN, "true has run")
    assert places(traced.events(), "true")[before:] == [NAMES[DOCKER]] * RUN


PORT = 18_473
TALK = f"""
import socket
server = socket.create_server(("127.0.0.1", {PORT}))
client = socket.create_connection(("127.0.0.1", {PORT}))
accepted, _ = server.accept()
client.close()
accepted.close()
"""


@any_kernel
def test_connections_have_their_containers_name_too(root: Path) -> None:
    talk = f"{sys.executable} -c {shlex.quote(TALK)}"
    with (
        cgroups.group(cgroups.v2(), PATHS[CONTAINERD]) as folder,
        trace("network/tcplife", probes=root, port=PORT) as traced,
    ):
        traced.until_named()
        for ended in (2, 4):  # with the first connection the container becomes known
            cgroups.run_in(folder, talk, 1)
            traced.until(lambda ended=ended: len(traced.events()) >= ended, "both ends are closed")
    assert [(row["container"], row["pod"]) for row in traced.events()[2:]] == [("api", "shop/cart-0")] * 2


@any_kernel
@pytest.mark.parametrize("probe", ["cpu/syscount", "cpu/runqlat"])
def test_who_has_ended_keeps_its_containers_name(root: Path, probe: str) -> None:
    with trace(probe, probes=root) as traced, cgroups.group(cgroups.v2(), PATHS[DOCKER]) as folder:
        traced.until_named()
        cgroups.run_in(folder, "true", RUN)
        traced.until(lambda: _containers(traced, "true") == ["web"] * RUN, "all are known")


def _containers(traced: Tracing, comm: str) -> list[str]:
    return [each.container for each in traced.processes.values() if each.comm == comm and each.container]


REPLAYED = {
    "cpu/execsnoop": "sleep 0.005",
    "cpu/syscount": "sleep 0.005",
    "cpu/runqlat": "sleep 0.005",
    "network/tcplife": f"{sys.executable} -c {shlex.quote(TALK)}",
}


@any_kernel
@pytest.mark.parametrize("probe", [*REPLAYED])
def test_a_tape_tells_the_same_elsewhere_without_root(root: Path, tmp_path: Path, probe: str) -> None:
    """Processes of some milliseconds; it is read in namespaces in which none of them, and no cgroup, was ever seen."""
    port = {"port": PORT} if probe == "network/tcplife" else {}
    with (
        cgroups.group(cgroups.v2(), PATHS[CONTAINERD]) as folder,
        trace(probe, probes=root, keep=True, **port) as traced,
    ):
        traced.until_named()
        cgroups.run_in(folder, REPLAYED[probe], RUN)
        traced.until(lambda: len(_inside([*traced.processes.values()])) == RUN, "all are known")
    tape = tmp_path / "incident.tape"
    with TapeWriter(tape) as writer:
        for frame in traced.frames or ():
            writer.write(frame)
    apart = ["unshare", "--user", "--pid", "--cgroup", "--fork", "--mount-proc"]
    report = [sys.executable, "-m", "ebpftop", "report", str(tape), "--format", "json", "-o", "-"]
    done = subprocess.run([*apart, *report], capture_output=True, text=True, cwd=CHECKOUT)
    assert done.returncode == 0, done.stderr
    rows = [row for line in done.stdout.splitlines() for row in _people(json.loads(line))]
    assert {row["pid"] for row in rows if row["container"] == "api"} == _inside([*traced.processes.values()])
    assert {row["pod"] for row in rows if row["container"] == "api"} == {"shop/cart-0"}


def _inside(processes: list[Process]) -> set[int]:
    return {each.tgid for each in processes if (each.container, each.pod) == ("api", "shop/cart-0")}


def _people(line: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What rows, events and series say of processes."""
    for view in line["views"].values():
        yield from (series["labels"] for series in view.get("series", ()) if "container" in series["labels"])
        names = [column["name"] for column in view.get("columns", ())]
        yield from (dict(zip(names, row, strict=True)) for row in view.get("rows", ()) if "container" in names)
