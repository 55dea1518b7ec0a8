"""The facts reported for a failed load, in the original words of the compiler, the verifier and the kernel."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ebpftop.catalog.document import Document
from ebpftop.catalog.files import MANIFEST
from ebpftop.catalog.model import Probe
from ebpftop.catalog.positions import KeyPath
from ebpftop.frames.messages import Failed, Tried
from ebpftop.loader.bcc_door import VerifierError
from ebpftop.loader.listing import places_of


def not_compiled(probe: Probe, variant: str, output: str) -> Failed:
    """The compiler rejected the C."""
    return Failed(stage="compile", error="the C does not compile", variant=variant, text=probe.source, log=output)


def misfit(probe: Probe, variant: str, problem: str, path: KeyPath | None = None) -> Failed:
    """The C compiles, but doesn't fit the manifest; `path` is the manifest's key."""
    if path is not None:
        line = Document(MANIFEST, probe.manifest).line(path)
        problem = f"{probe.id}/{MANIFEST}:{line}: {problem}"
    return Failed(stage="fit", error=problem, variant=variant, text=probe.source)


def over_limit(probe: Probe, variant: str, problem: str) -> Failed:
    """The C compiles, but needs more than the limit."""
    return Failed(stage="limit", error=problem, variant=variant, text=probe.source)


def rejected(
    probe: Probe, variant: str, error: VerifierError, table: dict[str, dict[int, int]], headers: Mapping[str, str]
) -> Failed:
    """The verifier rejected a program; `table` maps the instructions of each function to line numbers of the compiled
    text.
    """
    return Failed(
        stage="verify",
        error=f"the kernel rejected the program: {os.strerror(error.errno)}",
        variant=variant,
        function=error.function,
        text=probe.source,
        log=error.log,
        places=places_of(table.get(error.function, {}), len(headers)),
        headers=dict(headers),
    )


def not_attached(probe: Probe, tried: list[Tried]) -> Failed:
    """No variant could be tried."""
    error = "; ".join(f"{one.variant}: {one.reason}" if len(tried) > 1 else one.reason for one in tried)
    return Failed(stage="attach", error=error, text=probe.source, tried=tried)
