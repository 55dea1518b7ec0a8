"""`ebpftop report` as a user runs it: no root, no terminal, no overwriting, and a file that is whole or not there."""

import csv
import io
import json
import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import ebpftop as package
from tests.support import tape_sums
from tests.support.command import AS_NOBODY, complaint, ebpftop
from tests.support.page_reader import Report

S = 10**9  # ns
DEMO = Path(package.__file__).parent / "demo.tape"
SUMS = tape_sums.read(DEMO)
RUNS = {run.probe: run for run in SUMS.runs.values()}


def clock(realtime_ns: int) -> str:
    """A time of day, in UTC."""
    return datetime.fromtimestamp(realtime_ns / 1e9, UTC).strftime("%H:%M:%S.%f")[:-3]


def ends() -> tuple[tape_sums.Step, tape_sums.Step]:
    """The first and the last sample of the tape."""
    samples = [step for run in RUNS.values() for view in run.views.values() for step in view.steps]
    return min(samples, key=lambda step: step.end), max(samples, key=lambda step: step.end)


def total(probe: str, view: str) -> int:
    """All that a view counted on the tape."""
    found = RUNS[probe].views[view]
    return sum(gains[found.counters[0]] for gains in found.gained().values())


def test_an_ordinary_user_writes_a_page_that_only_the_owner_can_read(public: Path) -> None:
    public.chmod(0o777)
    out = public / "report.html"
    before = AS_NOBODY if os.geteuid() == 0 else ()
    done = ebpftop("report", DEMO, "-o", out, before=before)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"{out}: {out.stat().st_size / 1024:.3g} KiB\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [each.name for each in public.iterdir()] == ["report.html"], "no draft is left"
    page = Report(out.read_text())
    assert {run.probe for run in page.runs.values()} == {*RUNS, "lab/null-deref"}
    assert "shop-01" in page.text


def test_it_overwrites_only_with_force(tmp_path: Path) -> None:
    out = tmp_path / "x.html"
    out.write_text("mine")
    said = complaint(ebpftop("report", DEMO, "-o", out), 1)
    assert said == f"{out} exists; --force overwrites it"
    assert out.read_text() == "mine"
    assert ebpftop("report", DEMO, "-o", out, "--force").returncode == 0
    assert out.read_text().startswith("<!DOCTYPE html>")


def test_it_never_overwrites_its_input(tmp_path: Path) -> None:
    tape = tmp_path / "a.tape"
    tape.write_bytes(DEMO.read_bytes())
    for given in ((tape,), (DEMO, tape)):
        done = ebpftop("report", *given, "-o", tape, "--force")
        assert (done.returncode, done.stderr) == (2, f"ebpftop: {tape} is also an input; write to another file\n")
    assert tape.read_bytes() == DEMO.read_bytes()


def test_it_follows_no_link_and_replaces_no_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    said = complaint(ebpftop("report", DEMO, "-o", tmp_path / "link", "--force"), 1)
    assert said.endswith("is a symbolic link, which is not followed")
    assert not (tmp_path / "elsewhere").exists()
    assert complaint(ebpftop("report", DEMO, "-o", tmp_path, "--force"), 1).endswith("is not a regular file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_folder_that_is_not_there_and_a_full_disk(tmp_path: Path) -> None:
    assert complaint(ebpftop("report", DEMO, "-o", tmp_path / "no" / "x"), 1).endswith("No such file or directory")
    done = ebpftop("report", DEMO, "-o", "/dev/full")
    assert complaint(done, 1) == "/dev/full is not a regular file"


def test_a_tape_that_is_none(tmp_path: Path) -> None:
    for content, said in ((b"", "is empty"), (b"hello, world, how are you", "is not an ebpftop tape")):
        tape = tmp_path / "t"
        tape.write_bytes(content)
        assert complaint(ebpftop("report", tape, "-o", tmp_path / "out"), 1) == f"{tape} {said}"
    assert complaint(ebpftop("report", tmp_path / "no", "-o", "-"), 1).endswith("No such file or directory")
    assert not (tmp_path / "out").exists()


def test_a_cut_tape_gives_a_report_and_a_warning(tmp_path: Path) -> None:
    tape = tmp_path / "cut"
    tape.write_bytes(DEMO.read_bytes()[:400_000])
    done = ebpftop("report", tape, "-o", tmp_path / "x.html")
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first.startswith(f"ebpftop: {tape} is truncated after ")
    assert first.endswith("; the report covers what comes before")
    assert second.startswith(f"{tmp_path}/x.html: ")
    assert "The tape is incomplete" in (tmp_path / "x.html").read_text()
    again = ebpftop("report", tape, "-o", "-", "--format", "json")
    assert again.returncode == 1
    assert again.stderr == f"{first}\n"
    assert all(json.loads(line)["views"] for line in again.stdout.splitlines())


def of(lines: str, probe: str) -> dict[str, Any]:
    """What the lines of JSON say of a probe."""
    (found,) = (line for line in map(json.loads, lines.splitlines()) if line["probe"] == probe)
    return found


def test_a_span_by_seconds_and_by_the_clock() -> None:
    utc = {"TZ": "UTC"}
    whole = of(ebpftop("report", DEMO, "-o", "-", "--format", "json", environment=utc).stdout, "cpu/runqlat")
    counts = []
    first = ends()[0].end + SUMS.ahead
    for begin, end in (("10", "30.5"), (clock(first + 10 * S), clock(first + 61 * S // 2))):
        done = ebpftop("report", DEMO, "-o", "-", "--format", "json", "--from", begin, "--to", end, environment=utc)
        assert done.stderr == ""
        found = of(done.stdout, "cpu/runqlat")
        counts.append(sum(each["count"] for each in found["views"]["latency"]["series"]))
    assert counts[0] == counts[1]
    assert (
        0
        < counts[0]
        < sum(each["count"] for each in whole["views"]["latency"]["series"])
        == total("cpu/runqlat", "latency")
    )


def test_a_span_outside_the_tape() -> None:
    utc = {"TZ": "UTC"}
    said = complaint(ebpftop("report", DEMO, "-o", "-", "--from", "200", environment=utc), 1)
    first, last = ends()
    found = re.fullmatch(r"(.+) from (\S+)\.\d+ to (\S+)\.\d+ \((.+) after its start\)", said)
    assert found is not None
    assert found.groups() == (
        f"{DEMO} has no samples in that span, only",
        clock(first.realtime)[:8],
        clock(last.realtime)[:8],
        f"0.0 s to {(last.end - first.end) / S:.1f} s",
    )
    assert complaint(ebpftop("report", DEMO, "-o", "-", "--from", "9", "--to", "5"), 1) == "--from is not before --to"
    done = ebpftop("report", DEMO, "-o", "-", "--from", "25:61")
    assert done.returncode == 2
    assert "'25:61' is not a time of day such as 14:05 or 14:05:30" in done.stderr


def test_every_format_goes_to_standard_output() -> None:
    def out(name: str) -> str:
        done = ebpftop("report", DEMO, "-o", "-", "--format", name)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert out("html").startswith("<!DOCTYPE html>")
    tables = [block.partition("\n") for block in out("csv").split("\n\n")]
    assert all(re.fullmatch(r"# \S+ .+ · all · \S+Z to \S+Z · .+ observed", said) for said, _, _ in tables)
    blocks = [list(csv.DictReader(io.StringIO(table))) for _, _, table in tables]
    assert {row["probe"] for block in blocks for row in block} == set(RUNS)
    lines = [json.loads(line) for line in out("json").splitlines()]
    assert {line["probe"] for line in lines} >= set(RUNS)
    said, *folded = out("folded").splitlines()
    assert said.startswith("# cpu/profile samples · all · ")
    assert sum(int(line.rpartition(" ")[2]) for line in folded) == total("cpu/profile", "samples")
    speedscope = json.loads(out("speedscope"))
    assert sum(speedscope["profiles"][0]["weights"]) == total("cpu/profile", "samples")


def test_the_title() -> None:
    page = ebpftop("report", DEMO, "-o", "-", "--title", "Slow <checkout>").stdout
    assert "<title>Slow &lt;checkout&gt;</title>" in page
    assert "<h1>Slow &lt;checkout&gt;</h1>" in page


def test_two_spans_are_compared_on_the_page(tmp_path: Path) -> None:
    done = ebpftop("report", DEMO, "-o", "-", "--a", "4..26", "--b", "33..110")
    assert (done.returncode, done.stderr) == (0, "")
    page = Report(done.stdout)
    told = json.loads(ebpftop("compare", DEMO, "--a", "4..26", "--b", "33..110", "--json").stdout)
    assert [*page.compared] == [each["probe"] for each in told["probes"]]
    whole = told["probes"][[*page.compared].index("cpu/runqlat")]["views"]["latency"]["whole"]
    shown = {row[0].text: row[1:] for row in page.compared["cpu/runqlat"].views["latency"].tables["whole"].rows}
    assert [shown["values/s"][at].value for at in (0, 1)] == [whole["values"][side] for side in ("before", "after")]
    for name in ("p50", "p90", "p99"):
        assert [[cell.low, cell.value] for cell in shown[name][:2]] == [
            whole[name][side] for side in ("before", "after")
        ]
    functions = told["probes"][[*page.compared].index("cpu/profile")]["views"]["samples"]["functions"]
    first = page.compared["cpu/profile"].views["samples"].tables["functions"].rows[0]
    assert [cell.value for cell in first[2:4]] == [functions[0]["own"][side] for side in ("before", "after")]
    assert {run.probe for run in page.runs.values()} == {*RUNS, "lab/null-deref"}, "and the whole tape below"
    out = tmp_path / "two.html"
    assert ebpftop("report", DEMO, DEMO, "--a", "4..26", "-o", out).returncode == 0
    assert "What ebpftop recorded: demo and demo" in out.read_text()


def test_what_does_not_go_together_is_a_usage_error() -> None:
    def said(*arguments: str) -> str:
        done = ebpftop("report", DEMO, *arguments, "-o", "-")
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr.splitlines()[-1]

    assert said("--a", "4..26").endswith("to compare two spans of one tape, use --a FROM..TO --b FROM..TO")
    assert "'ebpftop compare --json' prints a comparison" in said("--a", "4..9", "--b", "9..14", "--format", "csv")
    assert "--from and --to apply to one tape" in said(str(DEMO), "--from", "3")
    assert "use it with --a and --b" in said("--by", "name")
    assert "by 'colour': only by " in said("--a", "4..9", "--b", "9..14", "--by", "colour")
    outside = ebpftop("report", DEMO, "--a", "4..9", "--b", "900..950", "-o", "-")
    assert complaint(outside, 1).startswith(f"{DEMO} has no samples in that span, only from ")
