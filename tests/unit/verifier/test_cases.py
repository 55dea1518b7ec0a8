"""Logs and lines as people paste them, each explained: cases/expected.toml says what is to be read in it."""

from __future__ import annotations

import io
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ebpftop.verifier.diagnosis import Diagnosis
from ebpftop.verifier.failures import failures

CASES = Path(__file__).parent / "cases"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((CASES / "expected.toml").read_text())
TALLY = "tally.bpf.c:26"


def explained(text: str) -> Diagnosis:
    """The one failure in a text."""
    (only,) = failures(io.BytesIO(text.encode()))
    return only


def place(diagnosis: Diagnosis) -> str:
    source = diagnosis.source
    if source is None:
        return ""
    return f"{source.file}:{source.line}" if source.line is not None else source.text


def told(diagnosis: Diagnosis) -> str:
    """All that is said in our own words."""
    steps = [step.why for step in diagnosis.chain]
    return "\n".join([diagnosis.explanation, diagnosis.fix or "", *steps, *diagnosis.registers.values()])


def test_each_log_has_an_expectation() -> None:
    assert {path.stem for path in CASES.glob("*.txt")} - {"wrap-known"} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_log_is_explained_rightly(name: str) -> None:
    expected = EXPECTED[name]
    diagnosis = explained((CASES / f"{name}.txt").read_text())
    assert diagnosis.kind == expected["kind"]
    assert diagnosis.insn == expected.get("insn")
    assert place(diagnosis) == expected.get("at", "")
    assert diagnosis.program == expected.get("program", "")
    assert diagnosis.fault == expected.get("fault", diagnosis.fault)
    assert expected.get("message", "") in diagnosis.message
    assert [words for words in expected.get("says", []) if words not in told(diagnosis)] == []
    assert [words for words in expected.get("never", []) if words in told(diagnosis)] == []
    assert set(expected.get("chain", [])) <= {step.insn for step in diagnosis.chain}


def wrappings() -> dict[str, str]:
    _, *blocks = (CASES / "wrap-known.txt").read_text().strip("\n").split("\n\n")
    named = (block.partition(":\n") for block in blocks)
    return {name: lines for name, _, lines in named}


@pytest.mark.parametrize("name", wrappings())
def test_whatever_stands_before_each_line_is_taken_off(name: str) -> None:
    diagnosis = explained(wrappings()[name])
    assert (diagnosis.kind, diagnosis.insn, place(diagnosis)) == ("oob_packet", 6, TALLY)
    assert diagnosis.message == "invalid access to packet, off=9 size=1, R2(id=0,off=9,r=8)"
