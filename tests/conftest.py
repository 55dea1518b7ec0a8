"""Decides which tests can run here.

`bpf` tests need root and BCC, those marked `root` only root, and those marked `installed("podman")` a program or a
library that `.ci/setup test` installs: without them they skip, and under CI=true they fail, as there they must run.
Tests marked `needs("kprobe")` skip on a kernel that has no such mechanism, by independent evidence, not by trying our
code; with `--every-mechanism` (a kernel known to have them all) they run whatever the evidence says.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from ebpftop.kernel import bcc_home
from ebpftop.kernel.libbpf import KernelLacks
from ebpftop.loader.binaries import cached_libraries
from tests.support import held, tracing
from tests.support.holding import TRACEFS, WITH_TRACEFS
from tests.support.lacking import lacking
from tests.support.scratch import public_folder

LOST = "lost by probes"
_SCREENS = Path(__file__).parent / "ui"

settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

os.environ["XDG_STATE_HOME"] = os.devnull  # a folder that nothing can be left in: no test begins where another ended
# What the tests start must not inherit what nohup and a shell's background have ignored.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody can read."""
    with public_folder() as folder:
        yield folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-mechanism", action="store_true", help="this kernel has kprobes, fentry and uprobes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The kernel and the clock belong to all that runs here: what fails live, or in an application that draws by the
    clock, is tried once more, and both are told.
    """
    for item in items:
        if item.get_closest_marker("bpf") is not None or _SCREENS in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=1))


def pytest_runtest_setup(item: pytest.Item) -> None:
    lacks = [lack for marker in item.iter_markers("installed") for name in marker.args if (lack := _not_there(name))]
    if item.get_closest_marker("bpf") is not None and (lack := _no_tracing()):
        lacks.insert(0, lack)
    if item.get_closest_marker("root") is not None and os.geteuid() != 0:
        lacks.insert(0, "this test needs root")
    if lacks:
        lacking(lacks[0])
    if item.config.getoption("--every-mechanism"):
        return
    for marker in item.iter_markers("needs"):
        for mechanism in marker.args:
            if not _EVIDENCE[mechanism]():
                pytest.skip(f"this kernel has no {mechanism}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        held.ended(item.nodeid, held=report.passed)
        if report.failed and (lost := tracing.lost()):
            report.sections.append((LOST, lost))  # a count that is too small may be a loss
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"failed at first: {report.nodeid}")
        report.toterminal(terminalreporter._tw)
        for _, lost in (each for each in report.sections if each[0] == LOST):
            terminalreporter.write_line(f"{LOST}: {lost}")


def pytest_sessionfinish() -> None:
    tracing.shared.end()


def _not_there(name: str) -> str:
    """Why a program can't be run, or a library not be loaded; "" if it can."""
    if ".so" in name:
        found = name in dict(cached_libraries())
    else:
        found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is not None
    return "" if found else f"{name} is not installed"


def _no_tracing() -> str:
    """Why no live test can run here, or ""."""
    if os.geteuid() != 0:
        return "live tests need root"
    try:
        bcc_home.find()
    except KernelLacks as lack:
        return f"live tests need BCC: {lack}"
    return ""


def _pmu(name: str) -> bool:
    return Path("/sys/bus/event_source/devices", name).exists()


def _function_tracing() -> bool:
    """Whether the kernel lists functions that can be traced; one without fentry refuses to open or has no such file."""
    if not Path("/sys/kernel/btf/vmlinux").exists():
        return False
    read = f"{WITH_TRACEFS}read -r function < {TRACEFS}/available_filter_functions"
    return subprocess.run(["unshare", "-m", "sh", "-c", read], capture_output=True, check=False).returncode == 0


_EVIDENCE = {"kprobe": lambda: _pmu("kprobe"), "uprobe": lambda: _pmu("uprobe"), "fentry": _function_tracing}
