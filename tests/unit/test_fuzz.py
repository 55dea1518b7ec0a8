"""Hostile input at every door, for as long as a unit test may take (`make fuzz` goes on): only refusals come of it."""

from __future__ import annotations

import os
import random

import pytest

from tests.fuzz.doors import DOORS
from tests.fuzz.engine import Door, Reached, attempt, bounded, by_changes, by_structure, corpus

EXAMPLES, CHANGES = 30, 30
SEED = 20 if os.environ.get("CI") == "true" else None  # else others each time


@pytest.mark.parametrize("door", DOORS, ids=[door.name for door in DOORS])
def test_a_door_holds(door: Door) -> None:
    choice = random.Random(SEED)
    inputs = [*door.seeds()]
    with bounded():
        for data in [*inputs, *corpus(door)]:
            attempt(door, data)
        by_structure(door, EXAMPLES, SEED and choice.getrandbits(32))
        by_changes(door, inputs, choice, Reached(), CHANGES)
