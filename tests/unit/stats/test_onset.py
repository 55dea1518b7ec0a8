"""A raised rate is found where it was raised, and chance isn't taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from ebpftop.stats.onset import FEW, raised

SERIES = 200  # of chance alone
LEVEL = 0.05


def seconds(steps: int) -> np.ndarray:
    return np.ones(steps)


@pytest.mark.parametrize(("first", "stop"), [(12, 24), (5, 9), (0, 6), (8, 13)])
def test_a_stretch_is_found_to_the_step(first: int, stop: int) -> None:
    weights = np.random.default_rng(1).poisson(20, 24).astype(float)
    weights[first:stop] += 200
    found = raised(weights, seconds(24))
    assert found is not None
    assert (found.first, found.stop) == (first, stop)
    assert found.chance < 1e-4


def test_what_came_out_of_nothing_is_found() -> None:
    found = raised(np.array([0.0] * 10 + [50.0] * 10), seconds(20))
    assert found is not None
    assert (found.first, found.stop) == (10, 20)
    assert found.chance < 1e-6


def test_rates_count_not_the_length_of_steps() -> None:
    lasted = np.array([1.0, 2.0] * 10)
    assert raised(lasted * 100, lasted) is None


def test_long_series_are_looked_at_in_parts() -> None:
    weights = np.random.default_rng(2).poisson(20, 600).astype(float)
    weights[300:450] *= 3
    found = raised(weights, seconds(600))
    assert found is not None
    assert found.first == pytest.approx(300, abs=10)
    assert found.stop == pytest.approx(450, abs=10)
    assert found.stop <= 600


@pytest.mark.parametrize("weights", [[], [1.0] * 20, [1.0, 90.0] * (FEW // 2 - 1)], ids=["none", "constant", "few"])
def test_where_nothing_can_be_said_nothing_is(weights: list[float]) -> None:
    assert raised(np.array(weights), seconds(len(weights))) is None


def alarms(noise: np.ndarray) -> int:
    found = [raised(each, seconds(len(each))) for each in noise]
    return sum(each is not None and each.chance <= LEVEL for each in found)


@pytest.mark.parametrize("mean", [0.5, 5, 500])
def test_counts_by_chance_raise_no_more_alarms_than_stated(mean: float) -> None:
    noise = np.random.default_rng(3).poisson(mean, (SERIES, 30)).astype(float)
    assert alarms(noise) <= 2 * LEVEL * SERIES


def test_steps_that_resemble_each_other_are_seldom_taken_for_a_rise() -> None:
    random = np.random.default_rng(4).normal(size=(SERIES, 40))
    for step in range(1, 40):
        random[:, step] = 0.5 * random[:, step - 1] + random[:, step]
    assert alarms(100 + 10 * random) <= 4 * LEVEL * SERIES
