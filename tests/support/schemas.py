"""Checks that every JSON output that a test sees has the published shape."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import msgspec
from jsonschema import Draft202012Validator

from ebpftop.export.shapes import SHAPES
from tests.schemas import FOLDER

# By words of a command line: the schema of its output, and whether that is one value a line.
_COMMANDS: tuple[tuple[tuple[str, ...], str, bool], ...] = (
    (("list", "--json"), "list", False),
    (("doctor", "--json"), "doctor", False),
    (("others", "--json"), "others", False),
    (("threads", "--json"), "threads", False),
    (("compare", "--json"), "compare", False),
    (("triage", "--json"), "triage", False),
    (("explain", "--json"), "explain", True),
    (("info", "--json"), "tape-info", True),
    (("run", "json"), "run", True),
    (("export", "json"), "run", True),
    (("report", "json"), "run", True),
)


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((FOLDER / f"{name}.json").read_text()))


def check(name: str, value: Any) -> None:
    """Check a value against the published schema."""
    problem = next(iter(validator(name).iter_errors(value)), None)
    assert problem is None, f"{name}: {problem.json_path}: {problem.message[:2000]}"


def check_type(name: str, text: str) -> None:
    """Check a value given as text against the types from which the schema is made: fast, because outputs may be
    long.
    """
    problems = []
    for kind in SHAPES[name][1]:
        try:
            msgspec.json.decode(text, type=kind)
        except msgspec.ValidationError as error:
            problems.append(str(error))
        else:
            return
    raise AssertionError(f"{name}: {'; or '.join(problems)}: {text[:2000]}")


def check_output(arguments: Sequence[object], output: str) -> None:
    """Check the output of a command, if it is JSON."""
    for name, text in values(arguments, output):
        check_type(name, text)


def values(arguments: Sequence[object], output: str) -> Iterator[tuple[str, str]]:
    """The JSON text of each value in a command's output, and the schema's name; empty if the output isn't JSON."""
    words = {str(each).removeprefix("--format=") for each in arguments}
    found = next((each for each in _COMMANDS if words.issuperset(each[0])), None)
    if found is not None and output.strip():
        _, name, lines = found
        for text in output.splitlines() if lines else [output]:
            yield name, text
