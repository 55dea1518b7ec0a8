"""Hostile text through every door to every output, as one table: build/hostile-text.txt (`make hostile-text`).

A door's texts begin with its mark, so that a row tells how many of them came out, and as what. The rows of one output
share one run of it, and its rule holds for all that it wrote.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ebpftop import cli
from ebpftop.base.look import Look
from ebpftop.commands import catalog_text, doctor, others, threads
from ebpftop.export.exporter.accounts import Accounts
from ebpftop.export.exporter.exposition import Exposition
from ebpftop.export.headless import Reporter, writer
from ebpftop.frames.messages import Catalog, Holder, Program, Programs, ThreadPlace, Threads
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.kernel.support import Check
from ebpftop.model.places import Places
from ebpftop.model.programs import rated
from tests.support.bare_pty import bare_pty
from tests.support.command import CHECKOUT, COMMAND
from tests.support.frames import SECOND
from tests.support.hostile_doors import DOORS, came_in, story
from tests.support.page_reader import Report
from tests.support.profiles import profile

TABLE = CHECKOUT / "build" / "hostile-text.txt"
FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
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
        for frame in story(came):
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


# ---------------------------------------------------------------- rules: what an output may hold


def inert(text: str) -> str:
    found = {c for c in text if not c.isprintable() and c != "\n"}
    assert not found, f"characters that do something: {found}"
    return "what isn't printable is written as an escape"


def records(text: str) -> str:
    return inert(text.replace("\t", "")) + "; tabs only between fields"


def coloured(text: str) -> str:
    return inert(re.sub(r"\x1b\[(?:0|1|2|31|32|33|1;31|1;33)m", "", text)) + "; no colours but ours"


def in_json(text: str) -> str:
    assert text.isascii()
    for line in text.splitlines() if text.count("\n") > 1 and text.startswith('{"') else [text]:
        json.loads(line)
    return inert(text) and "itself, in JSON that is ASCII"


def in_csv(text: str) -> str:
    inert(text)
    for row in csv.reader(line for line in text.splitlines() if not line.startswith("#")):
        for cell in row:
            assert not cell.lstrip(" ").startswith(FORMULA) or re.fullmatch(r"-?\d+(\.\d+)?", cell), cell
    return "one inert cell; a formula has ' in front"


def folded(text: str) -> str:
    inert(text)
    assert all(line.startswith("#") or re.fullmatch(r".*\S \d+", line) for line in text.splitlines())
    return "an inert name without separators"


def page(text: str) -> str:
    inert(text)
    read = Report(text)
    names = [name for name, _ in read.elements]
    assert not read.open
    assert names.count("script") == 1
    assert "img" not in names
    assert not any(key.startswith("on") for _, given in read.elements for key in given)
    assert all(given["href"].startswith("#") for _, given in read.elements if "href" in given)
    return "escaped and inert; no element, attribute or link"


def metrics(text: str) -> str:
    inert(text)
    assert list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    return "a quoted, inert label"


def timed(text: str) -> str:
    """The last moment of each series, as a scrape of then; the parser takes no histograms of several moments."""
    inert(text)
    lines = text.splitlines()
    last = max(line.rpartition(" ")[2] for line in lines if not line.startswith("#"))
    kept = (line.removesuffix(f" {last}") for line in lines if line.startswith("#") or line.endswith(f" {last}"))
    return metrics("\n".join(kept) + "\n")


def in_inert_json(text: str) -> str:
    json.loads(text)
    return inert(text) and "in JSON, with what isn't printable as an escape"


def terminal(text: str) -> str:
    """Bytes to a terminal: sequences that Textual and its driver write, and nothing else that isn't printable."""
    assert not re.search(r"[\x1b\x9b]\[?[?>]?(?:4242|77;77H)", text), "a sequence of a hostile text"
    text = text.replace("\x1b]22;default\x07", "")  # the shape of the mouse's pointer
    assert not re.search(r"\x1b[\]P_^Xk]", text), "a title, a clipboard, or a string of a device"
    left = re.sub(r"\x1b(?:\[[0-9;:?<>=]*[ $]?[A-Za-z@`~]|[78=>])", "", text)
    return inert(left.replace("\r", "")) and "what isn't printable is written as an escape; no sequences but Textual's"


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


def of_places(look: Look) -> Made:
    """Threads with the names of processes and of kernel functions."""

    def made(tape: Path) -> str:
        names, stacks = came_in("name of a process, in /proc"), came_in("kernel stack of a thread")
        both = list(zip(names.values(), stacks.values(), strict=True))
        found = [
            ThreadPlace(
                tid=number, tgid=number, start_ns=1, comm=name, process=name, state="D", cpu_ns=0, stack=number,
                switches=1, waits=function, call=0, arguments=[1] * 6, target=came_in("file name")["sequences"],
            )
            for number, (name, function) in enumerate(both)
        ]  # fmt: skip
        read = Threads(monotonic_ns=2, boottime_ns=2, threads=found, stacks=[[each] for _, each in both], count=24)
        places = Places()
        places.take(read)
        return "\n".join(threads.lines(places.take(read), read, look))

    return made


def of_programs(look: Look) -> Made:
    def made(tape: Path) -> str:
        names = [*came_in("name of a process, in /proc").values()]
        found = [
            Program(
                id=number, name=name, type=name, tag="0" * 16, loaded_ns=1, run_time_ns=0, run_count=0, jited=1,
                translated=1, holders=[Holder(pid=1, comm=name)],
            )
            for number, name in enumerate(names)
        ]  # fmt: skip
        read = Programs(monotonic_ns=2, boottime_ns=2, accounted_since_ns=0, programs=found)
        return "\n".join(others.lines(rated(read, read), read, look))

    return made


def of_checks(look: Look) -> Made:
    def made(tape: Path) -> str:
        texts = came_in("name of the machine").values()
        return "\n".join(doctor.lines([Check("kernel", False, text, text) for text in texts], look))

    return made


def explained(*more: str) -> Made:
    """A log that complains of each text."""

    def made(tape: Path) -> str:
        log = tape.parent / "log"
        texts = came_in("output of verifier or compiler").values()
        line = "0: R1=ctx() R10=fp0\n; {0} @ {0}.c:3\n7: (79) r1 = *(u64 *)(r0 +0)\n{0}\nprocessed 9 insns (limit 1)\n"
        log.write_text("".join(line.format(each) for each in texts), encoding="utf-8")
        return output_of("explain", log, *more, statuses=(0, 1)).decode()

    return made


def dashboard(tape: Path) -> str:
    """All that comes to a terminal while screens are looked at."""
    with bare_pty([*COMMAND, "replay", str(tape)], size=(60, 240)) as term:

        def settle() -> None:
            for _ in range(3):
                term.read(0.1)

        term.wait_for("p99")
        for _ in range(8):
            settle()
        for keys in ("\t", "\t", "n", "n", "n", "\r", "\x1b", "n", "w", "\x1b", "n", "B", "i", "\x1b", "?", "\x1b"):
            term.type(keys)
            settle()
        term.process.terminate()  # whatever has the focus
        term.wait_until(lambda: term.process.poll() is not None, "it ends")
        return term.shown.decode()


OUTPUTS: dict[str, tuple[Made, Callable[[str], str]]] = {
    "dashboard": (dashboard, terminal),
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
    "others": (of_programs(PLAIN), records),
    "others, on a terminal": (of_programs(COLOURED), coloured),
    "doctor": (of_checks(PLAIN), records),
    "doctor, on a terminal": (of_checks(COLOURED), coloured),
    "explain": (explained(), inert),
    "explain --json": (explained("--json"), in_json),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_what_comes_out_does_nothing(output: str, tape: Path) -> None:
    made, rule = OUTPUTS[output]
    text = made(tape)
    note(output, text, rule(text))
