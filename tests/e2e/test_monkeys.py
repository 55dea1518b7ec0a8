"""Random keys on the demo and the dashboard, quickly. `make monkeys` does it for an hour."""

from __future__ import annotations

import pytest

from tests.monkeys import trouble

pytestmark = pytest.mark.bpf


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("what", ["demo", ""])
def test_whatever_is_typed_it_ends_in_order(what: str, seed: int) -> None:
    assert trouble(what.split(), seed) == ""
