"""Hostile text through every door to every output, as one table: build/hostile-text.txt (`make hostile-text`).

A door's texts begin with its mark, so that a row tells how many of them came out, and as what. The rows of one output
share one run of it, and its rule holds for all that it wrote.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ebpftop import cli
from ebpftop.base import jsonrpc
from ebpftop.base.look import Look
from ebpftop.commands import catalog_text, doctor, mcp, others, threads
from ebpftop.export.exporter.accounts import Accounts
from ebpftop.export.exporter.exposition import Exposition
from ebpftop.export.headless import Reporter, writer
from ebpftop.frames.messages import Catalog, Threads
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.kernel.support import Check
from ebpftop.model.places import Place, Places
from ebpftop.model.programs import rated
from tests.support import hostile_story
from tests.support.bare_pty import BarePty, bare_pty
from tests.support.command import CHECKOUT, COMMAND
from tests.support.frames import SECOND
from tests.support.hostile_doors import DOORS, came_in
from tests.support.hostile_rules import (
    coloured,
    folded,
    in_csv,
    in_inert_json,
    in_json,
    inert,
    metrics,
    page,
    records,
    terminal,
    timed,
)
from tests.support.profiles import profile

TABLE = CHECKOUT / "build" / "hostile-text.txt"
ROWS: list[tuple[str, str, str, str]] = []
Made = Callable[[Path], str]


@pytest.fixture(scope="module")
def came() -> dict[str, dict[str, str]]:
    return {door: came_in(door) for door in DOORS}


@pytest.fixture(scope="module")
def tape(came: Mapping[str, Mapping[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that came in, two seconds of it."""
    path = tmp_path_factory.mktemp("hostile") / "a.tape"
    now = 0
    with TapeWriter(path, args=True, clock=lambda: now) as written:
        for frame in hostile_story.story(came):
            now = max(now, getattr(frame, "monotonic_ns", 0) - 1000 * SECOND)
            written.write(frame)
    assert TapeReader(path).problem == ""
    return path


@pytest.fixture(scope="module", autouse=True)
def table(came: Mapping[str, Mapping[str, str]]) -> Iterator[None]:
    """Written when all outputs of this run were tried."""
    yield
    if ROWS:
        TABLE.parent.mkdir(exist_ok=True)
        lines = [("door", "output", "came out", "as"), *sorted(ROWS)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in lines
        )
        kinds = ", ".join(next(iter(came.values())))
        TABLE.write_text(
            f"{text}\n\nEach door was given {len(next(iter(came.values())))} texts: {kinds}.\n", encoding="utf-8"
        )


def note(output: str, text: str, rule: str) -> None:
    """Rows of the table: which doors' texts are in what an output wrote."""
    found = 0
    for door, (mark, _) in DOORS.items():
        count = len(set(re.findall(rf"{mark}~.{{0,12}}", text)))
        found += count
        ROWS.append((door, output, str(count) if count else "none is shown", rule if count else ""))
    assert found, "nothing came out"


# ---------------------------------------------------------------- outputs


def output_of(*words: object, statuses: tuple[int, ...] = (0,)) -> bytes:
    """What a command writes to its standard output."""
    streams = {name: io.TextIOWrapper(io.BytesIO(), "utf-8") for name in ("stdin", "stdout")}
    with pytest.MonkeyPatch.context() as patch:
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        assert cli.run([str(word) for word in words]) in statuses
    buffer = streams["stdout"].buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()


def command(*words: str) -> Made:
    """Of the tape, which is `TAPE`."""
    return lambda tape: output_of(*(tape if word == "TAPE" else word for word in words)).decode()


def exported(format: str, *more: str) -> Made:
    return command("tape", "export", "TAPE", "--format", format, *more)


def reported(format: str) -> Made:
    return command("report", "TAPE", "-o", "-", "--format", format)


def live(tape: Path) -> str:
    """`run --format text`."""
    out, err = io.StringIO(), io.StringIO()
    reporter = Reporter(writer("text", out, err), err)
    for _, frame in TapeReader(tape):
        reporter.take(frame)
    reporter.finish()
    return out.getvalue() + err.getvalue()


def pprof(tape: Path) -> str:
    return "\n".join(profile(output_of("tape", "export", tape, "--format", "pprof")).string_table)


def perfetto(tape: Path) -> str:
    return "\n".join(_texts(output_of("tape", "export", tape, "--format", "perfetto")))


def _texts(content: bytes) -> Iterator[str]:
    """Of a trace, by Perfetto's own schema."""
    schema: Any = import_module("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    trace = schema.Trace()
    trace.ParseFromString(content)
    waiting: list[Any] = [trace]
    while waiting:
        for field, value in waiting.pop().ListFields():
            each = value if field.is_repeated else [value]
            waiting += [one for one in each if field.message_type is not None]
            yield from (one for one in each if isinstance(one, str))
            yield from (one.decode() for one in each if isinstance(one, bytes))


def exporter(tape: Path) -> str:
    accounts = Accounts(20, io.StringIO())
    reporter = Reporter(accounts, io.StringIO())
    for _, frame in TapeReader(tape):
        reporter.take(frame)
    reporter.finish()
    return Exposition(accounts).text("application/openmetrics-text; version=1.0.0")[0].decode()


PLAIN, COLOURED = Look(100, colour=False), Look(160, colour=True, terminal=True)


def of_catalog(look: Look) -> Made:
    def made(tape: Path) -> str:
        read = next(frame for _, frame in TapeReader(tape) if isinstance(frame, Catalog))
        return "\n".join(catalog_text.listed(read.probes, read.playbooks, look))

    return made


def all_came_in() -> dict[str, dict[str, str]]:
    return {door: came_in(door) for door in DOORS}


def placed() -> tuple[Sequence[Place], Threads]:
    read = hostile_story.threads(all_came_in())
    places = Places()
    places.take(read)
    return places.take(read), read


def of_places(look: Look) -> Made:
    return lambda tape: "\n".join(threads.lines(*placed(), look))


def of_places_in_json(tape: Path) -> str:
    return json.dumps([threads._facts(each) for each in placed()[0]])


def of_programs(look: Look) -> Made:
    def made(tape: Path) -> str:
        read = hostile_story.programs(all_came_in())
        return "\n".join(others.lines(rated(read, read), read, look))

    return made


def of_programs_in_json(tape: Path) -> str:
    read = hostile_story.programs(all_came_in())
    return json.dumps([others._facts(each, read) for each in rated(read, read)])


def of_checks(look: Look) -> Made:
    def made(tape: Path) -> str:
        texts = came_in("name of the machine").values()
        return "\n".join(doctor.lines([Check("kernel", False, text, text) for text in texts], look))

    return made


def log() -> str:
    """One that complains of each text."""
    texts = came_in("output of verifier or compiler").values()
    line = "0: R1=ctx() R10=fp0\n; {0} @ {0}.c:3\n7: (79) r1 = *(u64 *)(r0 +0)\n{0}\nprocessed 9 insns (limit 1)\n"
    return "".join(line.format(each) for each in texts)


def explained(*more: str) -> Made:
    def made(tape: Path) -> str:
        file = tape.parent / "log"
        file.write_text(log(), encoding="utf-8")
        return output_of("explain", file, *more, statuses=(0, 1)).decode()

    return made


def for_agents(tape: Path) -> str:
    """What `mcp` answers of a tape and of a log, and to names that there aren't."""
    asked = [("triage", {"tape": str(tape)}), ("explain", {"log": log()})]
    asked += [("show", {"probe": text}) for text in came_in("parameter").values()]
    asked += [("run", {"probe": "hello", "params": {text: text}}) for text in came_in("parameter").values()]
    calls = [
        {"jsonrpc": "2.0", "id": name, "method": "tools/call", "params": {"name": name, "arguments": given}}
        for name, given in asked
    ]
    out = io.BytesIO()
    lines = "".join(json.dumps(each) + "\n" for each in calls)
    jsonrpc.serve(io.BytesIO(lines.encode()), out.write, lambda method, params: mcp._answer(method, params, 25.0))
    return out.getvalue().decode()


THREADS = "what they wait for"
ESC = "\x1b[27u"  # as terminals send it that are asked to; alone, it would be the beginning of the next key


class Looked:
    """A dashboard in a terminal that is typed to."""

    def __init__(self, term: BarePty) -> None:
        self.term = term

    def press(self, *keys: str) -> None:
        """Each once what the one before changed has come: when nothing more does."""
        for each in keys:
            self.term.type(each)
            self.settle()

    def open(self, key: str, shown: str) -> None:
        """By a key, what says this of itself."""
        before = len(self.term.shown)
        self.term.type(key)
        self.term.wait_until(lambda: shown.encode() in self.term.shown[before:], f"{key!r} shows {shown}")
        self.settle()

    def settle(self) -> None:
        before = -1
        while before != (before := len(self.term.read(0.2))):
            pass

    def leave(self) -> str:
        self.term.process.terminate()  # whatever has the focus
        self.term.wait_until(lambda: self.term.process.poll() is not None, "it ends")
        return self.term.shown.decode()


def dashboard(tape: Path) -> str:
    """All that comes to a terminal while screens are looked at."""
    with bare_pty([*COMMAND, "replay", str(tape)], size=(60, 240)) as term:
        screen = Looked(term)
        term.wait_for("p99")
        for _ in range(8):
            screen.settle()
        screen.open("W", THREADS)
        screen.open("\r", "kernel stack")
        screen.press(ESC, ESC, ESC)
        screen.open("'", "Enter goes there")
        screen.press(ESC, "\t", "\t", *"nnn", "\r", ESC, "n", "w", ESC, "n", "B", "i", ESC, "?", ESC)
        return screen.leave()


def live_dashboard(tape: Path) -> str:
    """The same of a collector that answers: a page of a process, all threads, all programs."""
    with bare_pty([sys.executable, "-m", "tests.support.hostile_live"], size=(60, 240)) as term:
        screen = Looked(term)
        term.wait_for("playbooks")
        screen.settle()
        screen.open("W", THREADS)
        screen.open("P", "Open files")
        screen.press(ESC, ESC, ESC)
        screen.open("A", "All BPF programs")
        screen.press(ESC, ESC)
        screen.open("H", "sh~")
        screen.press(ESC)
        screen.open("'", "Enter goes there")
        screen.press(ESC, *"]]]]", "v", ESC)
        return screen.leave()


OUTPUTS: dict[str, tuple[Made, Callable[[str], str]]] = {
    "dashboard": (dashboard, terminal),
    "dashboard, live": (live_dashboard, terminal),
    "run, text": (live, inert),
    "run, csv": (exported("csv"), in_csv),
    "run, csv --raw": (exported("csv", "--raw"), inert),
    "run, json": (exported("json"), in_json),
    "run, perfetto": (perfetto, inert),
    "report, html": (reported("html"), page),
    "report, csv": (reported("csv"), in_csv),
    "report, json": (reported("json"), in_json),
    "report, folded": (reported("folded"), folded),
    "report, speedscope": (reported("speedscope"), in_json),
    "report, pprof": (pprof, inert),
    "tape info": (command("tape", "info", "TAPE"), inert),
    "tape info --json": (command("tape", "info", "TAPE", "--json"), in_json),
    "compare": (command("compare", "TAPE", "--a", "0..1.5", "--b", "1.5..3"), inert),
    "compare --json": (command("compare", "TAPE", "--a", "0..1.5", "--b", "1.5..3", "--json"), in_json),
    "exporter": (exporter, metrics),
    "run, openmetrics": (exported("openmetrics"), timed),
    "triage": (command("triage", "TAPE"), inert),
    "triage --json": (command("triage", "TAPE", "--json"), in_inert_json),
    "list": (of_catalog(PLAIN), records),
    "list, on a terminal": (of_catalog(COLOURED), coloured),
    "threads": (of_places(PLAIN), records),
    "threads, on a terminal": (of_places(COLOURED), coloured),
    "threads --json": (of_places_in_json, in_json),
    "others": (of_programs(PLAIN), records),
    "others --json": (of_programs_in_json, in_json),
    "others, on a terminal": (of_programs(COLOURED), coloured),
    "doctor": (of_checks(PLAIN), records),
    "doctor, on a terminal": (of_checks(COLOURED), coloured),
    "explain": (explained(), inert),
    "explain --json": (explained("--json"), in_json),
    "mcp": (for_agents, in_json),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_what_comes_out_does_nothing(output: str, tape: Path) -> None:
    made, rule = OUTPUTS[output]
    text = made(tape)
    note(output, text, rule(text))
