"""All doors."""

from __future__ import annotations

from tests.fuzz import binaries, folders, logs, streams, texts

DOORS = [*streams.DOORS, *folders.DOORS, *logs.DOORS, *texts.DOORS, *binaries.DOORS]
