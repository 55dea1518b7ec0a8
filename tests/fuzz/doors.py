"""All doors."""

from __future__ import annotations

from tests.fuzz import binaries, folders, streams, texts

DOORS = [*streams.DOORS, *folders.DOORS, *texts.DOORS, *binaries.DOORS]
