"""Call stacks where other code takes the place of what was there: each function has the samples that are its own."""

from __future__ import annotations

import contextlib
import platform
from pathlib import Path
from typing import Any

import pytest

from tests.support.changing_code import COMPILER, LOADER, library
from tests.support.tracing import any_kernel, counted, trace
from tests.support.workloads import Worker

pytestmark = [pytest.mark.bpf, any_kernel]

compiled = pytest.mark.skipif(platform.machine() != "x86_64", reason="the compiled code is for x86-64")

SECONDS = 2.5  # of CPU time, of each function


def sampled(code: str, *args: object, interval: float = 1.0) -> list[dict[str, Any]]:
    """The stacks of a worker that does its work once."""
    with Worker(code, *args) as worker, trace("cpu/profile", interval, frequency=199, pid=worker.pid) as traced:
        with contextlib.suppress(FileNotFoundError):
            try:
                worker.work()
                assert traced.end() == 0
            finally:
                Path(f"/tmp/perf-{worker.pid}.map").unlink()
        assert all(each["count"] > 0 for each in traced.stacks("samples"))
        return traced.stacks("samples", pid=worker.pid)


def only(stacks: list[dict[str, Any]], name: str) -> int:
    """Samples with a function of exactly this name."""
    return sum(each["count"] for each in stacks if any(frame["name"] == name for frame in each["frames"]))


def assert_half_each(stacks: list[dict[str, Any]], first: str, second: str) -> None:
    whole = counted(stacks)
    assert whole > 0.5 * 2 * SECONDS * 199
    for name in (first, second):
        assert 0.5 * (1 - 0.5) * whole < only(stacks, name) < 0.55 * whole
    either = only(stacks, f"{first} or {second}")
    assert only(stacks, first) + only(stacks, second) + either >= 0.9 * whole
    assert either < 0.25 * whole


@pytest.mark.parametrize("interval", [1.0, 30.0])
def test_a_library_that_is_loaded_where_another_was_has_its_own_samples(public: Path, interval: float) -> None:
    paths = [library(public / f"{name}.so", f"{name}_work", step) for name, step in (("alpha", 1), ("beta", 3))]
    assert_half_each(sampled(LOADER, SECONDS, *paths, interval=interval), "alpha_work", "beta_work")


@compiled
@pytest.mark.parametrize("how", ["appended", "rewritten"])
def test_code_that_is_compiled_anew_has_its_own_samples(how: str) -> None:
    assert_half_each(sampled(COMPILER, SECONDS, how), "first_function", "second_function")


@compiled
@pytest.mark.parametrize("how", ["appears", "deleted"])
def test_a_perf_map_names_all_code_that_was_there_whenever_it_is_there(how: str) -> None:
    stacks = sampled(COMPILER, 1.5, how)
    assert only(stacks, "first_function") > 0.35 * counted(stacks) > 0  # lines that were written before lack the name
    assert not [each for each in stacks if any(" or " in frame["name"] for frame in each["frames"])]
