"""A load that fails is explained alike wherever it is shown: in the JSON of `run`, by `explain` from the log alone, in
the text of `check`, and in the verifier panel.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from textual.widgets import Static

from ebpftop.frames.messages import AnyFrame, Rejected
from ebpftop.ui.app.app import EbpftopApp
from ebpftop.ui.screens.verifier import VerifierScreen
from tests.support.frames import catalog, hello
from tests.support.processes import SLOWER, eventually
from tests.support.script import Script
from tests.support.tracer import CHECKOUT, PATIENCE, Tracer
from tests.support.tracing import PROBES, Tracing, any_kernel

pytestmark = [pytest.mark.bpf, pytest.mark.beside, any_kernel]

PROGRAMS = CHECKOUT / "tests/unit/verifier/programs"
CHOSEN = (
    "constant-cut-off",
    "context-moved",
    "division-by-zero",
    "helper-needs-a-constant-string",
    "helper-of-another-type",
    "index-in-loop",
    "index-off-by-one",
    "jump-out-of-the-program",
    "loop-on-time",
    "map-closed",
    "map-read-only",
    "no-return-value",
    "null-by-macro",
    "null-on-one-branch",
    "packet-read-the-old-way",
    "pointer-shifted",
    "register-lost-by-call",
    "register-set-on-one-branch",
    "sleeping-helper",
    "stack-index-off-by-one",
    "unbounded-check-of-a-copy",
    "unreachable",
)
LAB = sorted(folder.parent.name for folder in (PROBES / "lab").glob("*/probe.toml") if folder.parent.name != "hello")
MANIFEST = """\
title = "A program that is refused"
summary = "Fails on purpose."
question = "What is said of it?"
overhead = "none"

[[variants]]
name = "raw"
attach = [{ raw_tracepoint = "sys_enter", run = "f" }]

[[views]]
map = "shown"
show = "table"

[[views.columns]]
field = "key"
title = "key"

[[views.columns]]
field = "value"
title = "value"
unit = "count"
role = "counter"
"""
SHOWN = "BPF_ARRAY(shown, u64, 1);\n"
OF_A_HEADER = "in-a-header"
IDS = [*(f"lab/{name}" for name in LAB), *(f"broken/{name}" for name in (*CHOSEN, OF_A_HEADER))]
OF_LOGS = [each for each in IDS if each != "lab/stack-too-big"]  # that one's log is a compiler's
# write_ipv4() of the shared header writes to what may be NULL; the author's line is the one that calls it.
IN_A_HEADER = """\
#include "ebpftop_sockets.h"
struct address { u8 bytes[16]; };
BPF_HASH(addresses, u32, struct address); // bounded: by the test
int f(void *ctx) {
    u32 key = 1;
    u8 *address = (u8 *)addresses.lookup(&key);
    write_ipv4(address, &key);
    return 0;
}
"""
CALL = 7


class Told(NamedTuple):
    """frame: what the loader reported. ran: the object of `run --format json`. checked: the text of `check`."""

    frame: Rejected
    ran: dict[str, Any]
    checked: str


class Keeping(Tracing):
    """Keeps the frame as well."""

    rejected: Rejected | None = None

    def take(self, frame: AnyFrame) -> None:
        if isinstance(frame, Rejected):
            self.rejected = frame
        super().take(frame)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Told]]:
    """What is said of each probe, by its id; loaded by one supervisor."""
    folder = tmp_path_factory.mktemp("probes")
    for name in CHOSEN:
        text = (PROGRAMS / f"{name}.c").read_text()
        write(folder, name, re.sub(r"^(BPF_HASH\(.*\);)$", r"\1 // bounded: by the test", text, flags=re.MULTILINE))
    write(folder, OF_A_HEADER, IN_A_HEADER)
    tracer = Tracer(folder)
    try:
        with ThreadPoolExecutor(2) as pool:
            checked = pool.map(lambda probe: check(where(folder, probe)), IDS)
            loads = load(tracer, IDS)
            yield {
                each.probe: Told(each.rejected, each.failed, text)
                for each, text in zip(loads, checked, strict=True)
                if each.rejected is not None
            }
    finally:
        tracer.end()


def write(folder: Path, name: str, text: str) -> None:
    probe = folder / "broken" / name
    probe.mkdir(parents=True)
    (probe / "probe.toml").write_text(MANIFEST)
    (probe / "probe.bpf.c").write_text(text + SHOWN)


def where(folder: Path, probe: str) -> Path:
    return (PROBES if probe.startswith("lab/") else folder) / probe


def load(tracer: Tracer, probes: Iterable[str]) -> list[Keeping]:
    """All that come of these, once each has been rejected."""
    loads = [Keeping(probe, {}, tracer) for probe in probes]
    for each in loads:
        tracer.load(each, 1.0)
    for each in loads:
        eventually(each.attached, f"{each.probe} is loaded", PATIENCE)
        assert each.rejected is not None, f"{each.probe} is not rejected"
    return loads


def check(folder: Path) -> str:
    command = [sys.executable, "-B", "-m", "ebpftop", "check", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE * SLOWER, check=False, cwd=CHECKOUT)
    assert done.returncode == 1, done.stdout + done.stderr
    first, _, rest = done.stdout.partition("\n")
    assert first.endswith("the manifest is well-formed and the lint found nothing"), done.stdout
    return rest


def explain(log: str) -> dict[str, Any]:
    command = [sys.executable, "-B", "-m", "ebpftop", "explain", "--json", "-"]
    done = subprocess.run(command, input=log, capture_output=True, text=True, timeout=60 * SLOWER, check=False)
    (line,) = done.stdout.splitlines()
    return dict(json.loads(line))


def spaced(text: str) -> str:
    """With single spaces, however it is wrapped and indented."""
    return " ".join(text.split())


def steps(chain: Iterable[dict[str, Any]], between: str = " ") -> str:
    """What led to it, as one text."""
    return spaced(
        " ".join(
            f"{step['insn'] if step['insn'] is not None else ''} {step['text']}"
            f"{between if step['text'] else ' '}{step['why']}"
            for step in chain
        )
    )


def section(text: str, title: str) -> str:
    """What stands below a title in a failure's text, without the lines of C that are quoted there."""
    rows = text.split("\n")
    if title not in rows:
        return ""
    below = rows[rows.index(title) + 1 :]
    below = below[: below.index("")] if "" in below else below
    return spaced("\n".join(row for row in below if not row.lstrip().startswith("; ")))


@pytest.mark.parametrize("probe", OF_LOGS)
def test_explain_says_of_the_log_alone_what_run_says(told: dict[str, Told], probe: str) -> None:
    frame, ran, _ = told[probe]
    alone = explain(ran["log"])
    for key in ("kind", "message", "insn", "explanation", "fix", "registers", "chain"):
        assert alone[key] == ran[key], key
    place, there = (each["source"] and (each["source"]["file"], each["source"]["line"]) for each in (ran, alone))
    if probe == f"broken/{OF_A_HEADER}":  # the log quotes the header
        _, file, line = max(begins for begins in frame.places if begins[0] <= ran["insn"])
        assert place == (f"{probe}/probe.bpf.c", CALL)
        assert there == (list(frame.headers)[file - 1], line)
        assert there[0] == "ebpftop_sockets.h"
    elif f"\n{ran['insn']}: (" in ran["log"]:
        assert place == there
        assert place is not None
    else:  # where the log doesn't show the instruction, it quotes no line either
        assert there is None


@pytest.mark.parametrize("probe", IDS)
def test_check_prints_what_run_says(told: dict[str, Told], probe: str) -> None:
    ran, text = told[probe].ran, told[probe].checked
    source = ran["source"]
    place = f"{source['file']}:{source['line']}: " if source else ""
    assert text.split("\n")[0] == f"{ran['variant'] or 'raw'}: {ran['result']}: {place}{ran['message']}"
    assert spaced(ran["explanation"]) in spaced(text)
    assert section(text, "fix") == spaced(ran["fix"] or "")
    assert section(text, "what led to it") == steps(ran["chain"])
    marked = [row.split("▶")[0].strip() for row in text.split("\n") if "▶" in row]
    assert marked == ([str(source["line"])] if source and source["text"].strip() else [])


async def test_the_panel_shows_what_run_says(told: dict[str, Told]) -> None:
    frames = [each.frame for each in told.values()]
    app = EbpftopApp(Script([hello(), catalog(), *frames]))
    async with app.run_test(size=(200, 60)) as pilot:
        while len(app.feed.session.runs) < len(frames):
            await pilot.pause(0.05)
        for probe, (frame, ran, _) in told.items():
            app.workbench.show_failure(app.feed.session.runs[frame.run])
            await pilot.pause()
            panel = app.screen
            assert isinstance(panel, VerifierScreen)
            while panel.parsed is None:
                await pilot.pause(0.02)
            await pilot.pause()
            shown_in(panel, probe, ran)


def shown_in(panel: VerifierScreen, probe: str, ran: dict[str, Any]) -> None:
    said = panel.query_one("#said", Static)
    assert str(said.border_title) == f"{probe} · {ran['result']}"
    text = spaced("\n".join(said.render_line(y).text for y in range(said.size.height)))
    assert text.startswith(f"✗ {ran['message']} "), probe
    assert spaced(f"{ran['message']} {ran['explanation']} {ran['fix'] or ''}") in text, probe
    known = ["".join(part.text for part in panel.known.segments(row)) for row in range(panel.known.count)]
    chain = known[: next((at for at, row in enumerate(known) if not row.strip()), None)] if ran["chain"] else []
    assert spaced("\n".join(chain)) == steps(ran["chain"], ": "), probe
    source = ran["source"]
    if source is None:
        assert panel.code.failed is None, probe
        return
    assert f"{source['file']} line {source['line']}" in text, probe
    assert panel.code.failed == source["line"] - 1, probe
    line = "".join(part.text for part in panel.code.segments(panel.code.failed))
    assert spaced(line) == spaced(source["text"]), probe
