"""The published JSON schemas are those of today's types, and what commands print has these shapes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import ebpftop as package
from ebpftop.export.shapes import SHAPES
from tests.schemas import FOLDER, files
from tests.support.command import complaint, ebpftop
from tests.support.schemas import check, check_type, validator, values

DEMO = Path(package.__file__).parent / "demo.tape"
LOG = Path(__file__).parent / "verifier" / "written"


def test_files_are_those_of_the_types() -> None:
    assert {path: path.read_text() for path in FOLDER.glob("*")} == files(), "run python -m tests.schemas"


@pytest.mark.parametrize("name", SHAPES)
def test_a_schema_is_one_and_the_command_prints_it(name: str) -> None:
    printed = json.loads(ebpftop("schema", name).stdout)
    Draft202012Validator.check_schema(printed)
    assert printed == validator(name).schema
    assert printed["$schema"].endswith("2020-12/schema")


def test_what_there_is_is_listed() -> None:
    lines = ebpftop("schema").stdout.splitlines()
    assert [line.partition("\t")[0] for line in lines] == sorted(SHAPES)
    assert "did you mean triage?" in complaint(ebpftop("schema", "triag"), 2)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("list", ("list", "--json")),
        ("doctor", ("doctor", "--json")),
        ("compare", ("compare", DEMO, "--a", "5..20", "--b", "25..50", "--json")),
        ("compare", ("compare", DEMO, "--a", "5..20", "--b", "25..50", "--by", "name", "--json")),
        ("tape-info", ("tape", "info", DEMO, DEMO, "--json")),
        ("run", ("report", DEMO, "-o", "-", "--format", "json")),
        ("run", ("tape", "export", DEMO, "--format", "json")),
        ("triage", ("triage", DEMO, "--json")),
        ("threads", ("threads", "--json", "--no-sudo")),
        ("explain", ("explain", "--json", next(LOG.glob("*.txt")))),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value[0]),
)
def test_what_a_command_prints_has_its_shape(name: str, arguments: tuple[object, ...]) -> None:
    found = list(values(arguments, ebpftop(*arguments).stdout))
    assert found
    for each, text in found:
        check(each, json.loads(text))
    assert {each for each, _ in found} == {name}


@pytest.mark.parametrize("name", SHAPES)
def test_what_has_another_shape_is_found(name: str) -> None:
    wrong: object = [{"surprise": 1}] if validator(name).schema.get("type") == "array" else {"surprise": 1}
    with pytest.raises(AssertionError, match=r"surprise|required|not valid"):
        check(name, wrong)
    with pytest.raises(AssertionError, match=r"surprise|required"):
        check_type(name, json.dumps(wrong))
