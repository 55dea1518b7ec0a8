"""What went wrong with a load, put so that a person finds the line: from a compiler's output, a verifier's log, an
errno. The frames lack `run` and `params`, which the collector knows.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ebpftop.catalog.csource import CSource
from ebpftop.catalog.document import Document
from ebpftop.catalog.manifest import MANIFEST
from ebpftop.catalog.model import Probe
from ebpftop.catalog.positions import KeyPath
from ebpftop.frames.messages import Rejected, SourceLine, Tried
from ebpftop.loader import compose
from ebpftop.loader.bcc_door import VerifierError
from ebpftop.loader.origins import Origins
from ebpftop.verifier import compiler, lines, log
from ebpftop.verifier.diagnosis import diagnose

_COMPILE_HINT = "The C does not compile, so the verifier never saw it. The compiler's whole output is below."
_ENDED_HINT = "That is no verdict on the program. What the compiler and the loader said before is below."


def source_line(probe: Probe, number: int | None) -> SourceLine | None:
    """The author's line of that number."""
    text = probe.source.split("\n")
    if number is None or not 0 < number <= len(text):
        return None
    return SourceLine(file=f"{probe.id}/{compose.AUTHORS_FILE}", line=number, text=text[number - 1].rstrip("\r"))


def compile_failure(probe: Probe, variant: str | None, output: str, ended: str = "") -> Rejected:
    """From the compiler's output; without an error in it `ended` says what else there was, as the loader's end."""
    first = next((message for message in compiler.parse(output) if message.severity in ("error", "fatal error")), None)
    if first:
        hint = compiler.explain(first.text) or _COMPILE_HINT
    elif ended:
        hint = _ENDED_HINT if output.strip() else ""
    else:
        hint = _COMPILE_HINT
    return Rejected(
        run=0,
        probe=probe.id,
        params={},
        stage="compile",
        error=first.text if first else ended or "the compiler refused the program without saying why",
        variant=variant,
        source=source_line(probe, _place(probe, first)) if first else None,
        text=probe.source,
        log=output,
        hint=hint,
    )


def _place(probe: Probe, message: compiler.Message) -> int | None:
    """The author's line a message is about; of one about a whole function, where that begins."""
    number = compose.authors_line(message.line or 0)
    if number is not None or not message.function:
        return number
    source = CSource(probe.source)
    for function in source.functions:
        if function.name == message.function:
            return source.line(max(source.code.rfind(function.name, 0, function.start), 0))
    return None


def misfit(probe: Probe, variant: str, problem: str, path: KeyPath | None = None) -> Rejected:
    """The C compiles, but does not fit the manifest, of which `path` is the key, or a limit."""
    if path is not None:
        line = Document(MANIFEST, probe.manifest).line(path)
        problem = f"{probe.id}/{MANIFEST}:{line}: {problem}"
    return Rejected(run=0, probe=probe.id, params={}, stage="fit", error=problem, variant=variant, text=probe.source)


def verify_failure(
    probe: Probe, variant: str, error: VerifierError, table: dict[str, dict[int, int]], headers: Mapping[str, str]
) -> Rejected:
    """From the verifier's log; `table` maps the instructions of each function to lines of the compiled text, the
    headers' included.
    """
    parsed = log.parse(error.log)
    origins = Origins(table.get(error.function, {}), probe.source, headers)
    at = lines.line_for(dict(origins.lines), parsed.insn) if parsed.insn is not None else None
    quoted = lines.quote(error.log, origins.quotes)
    diagnosis = diagnose(quoted.split("\n"))
    return Rejected(
        run=0,
        probe=probe.id,
        params={},
        stage="verify",
        error=parsed.error or f"the kernel refused the program: {os.strerror(error.errno)}",
        variant=variant,
        function=error.function,
        insn=parsed.insn,
        source=source_line(probe, at),
        text=probe.source,
        log=quoted,
        lines=origins.lines,
        hint=diagnosis.words if diagnosis else "",
    )


def nothing_attached(probe: Probe, tried: list[Tried]) -> Rejected:
    """Every variant was passed over."""
    error = "; ".join(f"{one.variant}: {one.reason}" if len(tried) > 1 else one.reason for one in tried)
    return Rejected(run=0, probe=probe.id, params={}, stage="attach", error=error, text=probe.source, tried=tried)
