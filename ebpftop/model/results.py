"""The outcome of a failed load in words, by the stage that failed. Imports nothing heavy: every screen shows it."""

from __future__ import annotations

from ebpftop.frames.messages import FailedStage

RESULTS: dict[FailedStage, str] = {
    "compile": "did not compile",
    "fit": "doesn't fit its manifest",
    "limit": "over a limit",
    "verify": "rejected by the verifier",
    "attach": "could not attach",
    "load": "could not be loaded",
}
SHORT = RESULTS | {"verify": "rejected"}  # where room is short
