"""Probes limited to a container, a pod or a unit: only its processes are counted, in cgroups as runtimes have them."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ebpftop.frames.messages import Notice
from tests.support import cgroups, runtimes
from tests.support.processes import eventually
from tests.support.quota import cpu_group
from tests.support.runtimes import CONTAINERD, CRIO, DOCKER, PATHS, PODMAN, UID, number
from tests.support.tracing import Tracing, any_kernel, trace
from tests.support.workloads import SPIN, Worker

pytestmark = pytest.mark.bpf

INSIDE, OUTSIDE = 7, 11  # short processes
SLICED = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + UID.replace("-", "_") + ".slice"
UNIT = "/ebpftop-test.slice/ebpftop-test-backup.service"
AGAIN = number("9")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of no probes: who traces with `probes=` it has another "/" for what runtimes keep on disk."""
    monkeypatch.setenv("RUNTIMES_ROOT", str(tmp_path / "root"))
    (tmp_path / "probes").mkdir()
    runtimes.all_of_them(tmp_path / "root")
    return tmp_path / "probes"


@contextlib.contextmanager
def groups(*paths: str, place: Path | None = None) -> Iterator[list[Path]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(cgroups.group(place or cgroups.v2(), path)) for path in paths]


def count(traced: Tracing) -> int:
    return len(traced.events(comm="true"))


def counted(traced: Tracing, inside: list[Path], outside: list[Path]) -> None:
    """Run programs in and outside of what is selected; those inside are counted."""
    before = count(traced)
    for folder in outside:
        cgroups.run_in(folder, "true", OUTSIDE)
    for folder in inside:
        cgroups.run_in(folder, "true", INSIDE)
    traced.until(lambda: count(traced) >= before + INSIDE * len(inside), "those inside were counted")
    assert count(traced) == before + INSIDE * len(inside)


LAYOUTS = {  # a path, what names it, and the end of the path from which on all counts
    "docker": (PATHS[DOCKER], {"container": "web"}, ""),
    "docker of systemd": (f"/system.slice/docker-{DOCKER}.scope", {"container": DOCKER[:12]}, ""),
    "containerd": (PATHS[CONTAINERD], {"container": "api"}, ""),
    "cri-o": (PATHS[CRIO], {"container": "sidecar", "pod": "cart-1"}, ""),
    "podman": (PATHS[PODMAN], {"container": "db"}, "/container"),
    "podman in a unit": (
        f"/system.slice/db.service/libpod-payload-{PODMAN}",
        {"unit": "db"},
        f"/libpod-payload-{PODMAN}",
    ),
    "kubelet": (SLICED, {"pod": UID}, ""),
    "a pod by name": (PATHS[CONTAINERD], {"pod": "shop/cart-0"}, f"/cri-containerd-{CONTAINERD}.scope"),
    "lxc": ("/lxc.payload.box", {"container": "box"}, ""),
    "systemd": (UNIT, {"unit": "ebpftop-test-backup.service"}, ""),
    "a slice": (UNIT, {"unit": "ebpftop-test.slice"}, "/ebpftop-test-backup.service"),
    "a user's manager": (
        "/user.slice/user-1000.slice/user@1000.service/app.slice/shell.service",
        {"unit": "user@1000.service"},
        "/app.slice/shell.service",
    ),
}
FIRST = "docker"  # tried on every kernel


@pytest.mark.parametrize("layout", [pytest.param(each, marks=[] if each == FIRST else any_kernel) for each in LAYOUTS])
def test_only_who_is_inside_is_counted_also_further_down(root: Path, layout: str) -> None:
    path, params, further = LAYOUTS[layout]
    with groups(path, f"{path}/below/it", "/ebpftop-test-other.service", f"/docker/{AGAIN}") as (it, below, *others):
        with trace("cpu/execsnoop", probes=root, **params) as traced:
            counted(traced, [it, below], [*others, cgroups.v2()])
        assert traced.notes[0].endswith(f": cgroup {path.removesuffix(further)} (version 2)")


@any_kernel
@pytest.mark.parametrize("probe", ["cpu/syscount", "cpu/runqlat", "disk/opensnoop"])
def test_tables_histograms_and_events_alike(root: Path, probe: str) -> None:
    with groups(PATHS[DOCKER], UNIT) as (it, other), trace(probe, probes=root, container="web") as traced:
        traced.until_named()
        cgroups.run_in(other, "true", OUTSIDE)
        cgroups.run_in(it, "sleep 0.01", INSIDE)
        traced.until(lambda: len(_named(traced, "sleep")) == INSIDE, "those inside were counted")
    assert {each.container for each in traced.processes.values() if each.comm == "sleep"} == {"web"}
    assert not _named(traced, "true")


def _named(traced: Tracing, comm: str) -> list[int]:
    return [each.tgid for each in traced.processes.values() if each.comm == comm]


@any_kernel
def test_all_containers_of_a_pod_and_one_of_them(root: Path, tmp_path: Path) -> None:
    second = number("5")
    runtimes.containerd(tmp_path / "root", second)
    paths = PATHS[CONTAINERD], f"{SLICED}/cri-containerd-{second}.scope", f"{SLICED}/cri-containerd-{AGAIN}.scope"
    with groups(*paths, PATHS[DOCKER]) as (one, two, nameless, other):
        with trace("cpu/execsnoop", probes=root, pod="shop/cart-0") as traced:
            counted(traced, [one, two, nameless], [other])
        with trace("cpu/execsnoop", probes=root, container="api") as traced:  # there are two of that name
            counted(traced, [one, two], [nameless, other])
        with trace("cpu/execsnoop", probes=root, pod=UID, container=AGAIN[:8]) as traced:
            counted(traced, [nameless], [one, two, other])


@any_kernel
def test_a_unit_that_is_started_again_is_counted_again(root: Path) -> None:
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        (it,) = first.enter_context(groups(UNIT))
        traced = stack.enter_context(trace("cpu/execsnoop", probes=root, keep=True, unit="ebpftop-test-backup"))
        traced.until_named()
        counted(traced, [it], [])
        old = it.stat().st_ino
        first.close()
        assert not it.exists()
        said = "unit=ebpftop-test-backup.service is "
        traced.until(lambda: _warnings(traced) == [f"{said}gone: counting resumes when it is back"], "that is told")
        with groups(UNIT) as (it,):
            assert it.stat().st_ino != old
            counted(traced, [it], [cgroups.v2()])
            traced.until(lambda: _warnings(traced)[1:] == [f"{said}back"], "that is told")


def _warnings(traced: Tracing) -> list[str]:
    return [frame.text for frame in traced.frames or () if isinstance(frame, Notice)]


@any_kernel
def test_a_container_that_is_made_again_is_counted_once_its_name_is_known(root: Path, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(groups(PATHS[DOCKER]))
        traced = stack.enter_context(trace("cpu/execsnoop", probes=root, container="web"))
        traced.until_named()
        first.close()
        runtimes.docker(tmp_path / "root", AGAIN, "/web")
        with groups(f"/docker/{AGAIN}") as (it,):
            eventually(lambda: _counts(traced, it), "it is counted")
            counted(traced, [it], [cgroups.v2()])


def _counts(traced: Tracing, folder: Path) -> bool:
    before = count(traced)
    cgroups.run_in(folder, "true")
    with contextlib.suppress(AssertionError):
        eventually(lambda: count(traced) > before, "", 2.0)
    return count(traced) > before


@any_kernel
def test_on_version_1_in_the_hierarchy_that_is_told(root: Path) -> None:
    place = cgroups.v1()
    with (
        groups(PATHS[DOCKER], "/ebpftop-test-other", place=place) as (it, other),
        trace("cpu/execsnoop", probes=root, container="web") as traced,
    ):
        counted(traced, [it], [other, place])
    assert traced.notes[0].endswith(f"cgroup {PATHS[DOCKER]} (version 1, hierarchy {place})")


@any_kernel
@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"container": "wep"}, "container: no container 'wep' here; did you mean web?"),
        ({"container": number("1")[:5]}, f"container: '{number('1')[:5]}' matches the ids of 2 containers: "),
        ({"pod": "shop/cart-7"}, "pod: no pod 'shop/cart-7' here; did you mean shop/cart-0?"),
        ({"unit": "ebpftop-test-back"}, "unit: no unit 'ebpftop-test-back.service' here; did you mean ebpftop-test-"),
        ({"container": "web", "pod": "cart-0"}, "container=web pod=cart-0 selects nothing"),
    ],
)
def test_a_name_of_nothing_is_refused_with_the_nearest(root: Path, params: dict[str, str], said: str) -> None:
    twin = DOCKER[:8] + "f" * 56
    with (
        groups(PATHS[DOCKER], PATHS[CONTAINERD], UNIT, f"/docker/{twin}"),
        pytest.raises(AssertionError) as failed,
        trace("cpu/execsnoop", probes=root, **params),
    ):
        pass
    assert said in str(failed.value)


@contextlib.contextmanager
def process_in(folder: Path) -> Iterator[psutil.Process]:
    """A process in a pid namespace of its own, which counts it as some number."""
    run = "while :; do cat /dev/null; sleep 0.05; done"
    inside = (
        f"echo $$ > {folder}/cgroup.procs; exec unshare --pid --fork --kill-child sh -c 'true; {{ {run}; }} & wait'"
    )
    with subprocess.Popen(["sh", "-c", inside], start_new_session=True) as shell:
        try:
            eventually(lambda: len(_loops(shell.pid)) == 1, "it runs")
            yield _loops(shell.pid)[0]
        finally:
            shell.send_signal(signal.SIGKILL)


def _loops(pid: int) -> list[psutil.Process]:
    """Of the processes below one, the grandchild."""
    return [grand for child in psutil.Process(pid).children() for grand in child.children()]


@any_kernel
@pytest.mark.parametrize("place", ["web", DOCKER[:12]])
def test_a_process_as_its_container_counts(root: Path, place: str) -> None:
    with groups(PATHS[DOCKER]) as (it,), process_in(it) as process:
        inner = Path(f"/proc/{process.pid}/status").read_text().partition("NSpid:")[2].split("\n")[0].split()
        assert inner[0] == str(process.pid) != inner[1]
        with trace("cpu/syscount", probes=root, pid=f"{place}:{inner[1]}") as traced:
            traced.until(lambda: bool(traced.totals("by process", "pid")), "it calls")
        assert {*traced.totals("by process", "pid")} == {process.pid}
        assert {each.nspid for each in traced.processes.values() if each.tgid == process.pid} == {int(inner[1])}
        with pytest.raises(AssertionError) as failed, trace("cpu/syscount", probes=root, pid=f"{place}:4194000"):
            pass
        assert f"pid: '{place}' has no process 4194000; it has 1 (" in str(failed.value)


def test_pids_inside_are_known_also_of_those_that_live_some_milliseconds(root: Path) -> None:
    with groups(PATHS[DOCKER]) as (it,), trace("cpu/execsnoop", probes=root) as traced:
        traced.until_named()
        cgroups.run_in(it, f"unshare --pid --fork sh -c 'for i in $(seq {INSIDE}); do cat /dev/null; done'")
        cgroups.run_in(it, "true", 1)
        traced.until(lambda: bool(traced.events(comm="true")), "all have run")
    first, *others = [row["nspid"] for row in traced.events(comm="cat")]
    assert [first, *others] == [*range(first, first + INSIDE)]
    assert first in (2, 3)  # seq(1) comes first
    assert {row["nspid"] for row in traced.events(comm="true")} == {None}


def test_who_is_throttled_and_who_waits_is_told_by_container_and_unit(root: Path) -> None:
    """The one for its quota, the other behind it on the same CPU."""
    with (
        cpu_group(quota_us=5_000, period_us=50_000, name=f"docker-{DOCKER}.scope") as limited,
        cpu_group(quota_us=-1, period_us=50_000, name="ebpftop-test-batch.service") as unlimited,
        Worker(SPIN, 1, 0.067, cpu=0) as held,
        Worker(SPIN, 1, 0.307, cpu=0) as free,
        trace("cpu/throttled", probes=root) as traced,
    ):
        traced.until_named()
        for worker in (held, free):
            cgroups.leave_all(worker.pid)
        limited.take(held.pid)
        unlimited.take(free.pid)
        held.start()
        free.start()
        held.finish()
        free.finish()
        assert limited.throttled().times >= 5
        pids = {
            held.pid: {"container": "web", "unit": ""},
            free.pid: {"container": "", "unit": "ebpftop-test-batch.service"},
        }
    told = traced.totals("processes", "pid")
    assert told[held.pid]["held"] > 0
    assert told[free.pid]["held"] == 0
    assert told[free.pid]["waited"] > 0
    for pid, place in pids.items():
        row = traced.events("processes", pid=pid)[-1]
        assert {name: row[name] for name in place} == place
