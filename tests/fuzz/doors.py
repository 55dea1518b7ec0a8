"""All doors."""

from __future__ import annotations

from tests.fuzz import binaries, code, files, folders, hosts, logs, streams, texts

DOORS = [
    *streams.DOORS,
    *folders.DOORS,
    *logs.DOORS,
    *texts.DOORS,
    *binaries.DOORS,
    *code.DOORS,
    *files.DOORS,
    *hosts.DOORS,
]
