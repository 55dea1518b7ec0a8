"""Real logs of small rejected programs, from each kernel of the matrix: corpus.toml holds what must be read in them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ebpftop.verifier.diagnosis import diagnose
from ebpftop.verifier.lines import line_for
from ebpftop.verifier.log import parse

HERE = Path(__file__).parent
KERNELS = ("6.1", "6.12", "6.18")
MARK = "// here"
PROGRAMS: dict[str, dict[str, Any]] = tomllib.loads((HERE / "corpus.toml").read_text())
LINES: dict[str, dict[str, int]] = json.loads((HERE / "logs/lines.json").read_text())


class Case(NamedTuple):
    """One log, and what is to be read in it. wrong: {"reading" or "kind": what is known to come out instead}."""

    kernel: str
    name: str
    kind: str
    insn: int | None
    line: int | None
    complaint: str
    wrong: dict[str, str]

    @property
    def log(self) -> str:
        return (HERE / "logs" / self.kernel / f"{self.name}.txt").read_text()


def marked(name: str) -> int | None:
    """The one line of a program that ends with MARK, counted from 1; None if it has none."""
    lines = (HERE / f"programs/{name}.c").read_text().split("\n")
    numbers = [number for number, line in enumerate(lines, 1) if line.endswith(MARK)]
    assert len(numbers) < 2, name
    return numbers[0] if numbers else None


def refused() -> Iterator[Case]:
    for name, program in PROGRAMS.items():
        for kernel in KERNELS:
            if kernel not in program.get("accepted", []) + program.get("absent", []):
                told = (
                    {"insn": None, "line": marked(name), "wrong": {}} | program | program.get("on", {}).get(kernel, {})
                )
                yield Case(kernel, name, told["kind"], told["insn"], told["line"], told["complaint"], told["wrong"])


CASES = list(refused())


def named(case: Case) -> str:
    return f"{case.kernel}-{case.name}"


def cases(mistake: str) -> list[Any]:
    """All of them; those with this mistake are expected to fail."""
    return [
        pytest.param(
            case,
            id=named(case),
            marks=[pytest.mark.xfail(strict=True, reason=reason)] if (reason := case.wrong.get(mistake)) else [],
        )
        for case in CASES
    ]


@pytest.mark.parametrize("case", cases("reading"))
def test_a_log_is_read(case: Case) -> None:
    parsed = parse(case.log)
    assert (parsed.error, parsed.insn) == (case.complaint, case.insn)
    if parsed.insn_text:
        assert parsed.insn_text.startswith(f"{case.insn}: (")


@pytest.mark.parametrize("case", cases("kind"))
def test_it_is_diagnosed(case: Case) -> None:
    diagnosis = diagnose(case.log.split("\n"))
    assert diagnosis is not None
    assert diagnosis.kind == case.kind
    if " @ main.c:" in case.log and case.line:
        assert diagnosis.source is not None
        assert diagnosis.source.line == case.line


@pytest.mark.parametrize("case", [case for case in CASES if case.insn is not None and case.line], ids=named)
def test_the_instruction_leads_to_the_authors_line(case: Case) -> None:
    table = {int(insn): line for insn, line in LINES[case.name].items()}
    assert case.insn is not None
    assert line_for(table, case.insn) == case.line


def test_every_program_and_every_log_is_in_the_table() -> None:
    assert sorted(PROGRAMS) == sorted(path.stem for path in (HERE / "programs").glob("*.c"))
    logs = sorted((path.parent.name, path.stem) for path in (HERE / "logs").glob("*/*.txt"))
    assert logs == sorted((case.kernel, case.name) for case in CASES)


@pytest.mark.parametrize("kernel", KERNELS)
def test_each_kernel_refuses_most_of_them(kernel: str) -> None:
    assert sum(case.kernel == kernel for case in CASES) >= 140


def test_logs_tell_nothing_of_the_machine() -> None:
    addresses = {address for case in CASES for address in re.findall(r"r\d+ = (0xffff[0-9a-f]{12})\b", case.log)}
    assert addresses == {"0xffff888100000000"}
    assert not [case for case in CASES if re.search(r"/home/|/root/|/work/|/tmp/", case.log)]
