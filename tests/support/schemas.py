"""Every JSON output that a test sees is held against its published schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.schemas import FOLDER

# By words of a command line: the schema of its output, and whether that is a value a line.
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
    """It has the shape that is published."""
    problem = next(iter(validator(name).iter_errors(value)), None)
    assert problem is None, f"{name}: {problem.json_path}: {problem.message[:2000]}"


def check_output(arguments: Sequence[object], output: str) -> None:
    """What a command printed, if it prints JSON."""
    for name, value in values(arguments, output):
        check(name, value)


def values(arguments: Sequence[object], output: str) -> Iterator[tuple[str, Any]]:
    words = {str(each).removeprefix("--format=") for each in arguments}
    found = next((each for each in _COMMANDS if words.issuperset(each[0])), None)
    if found is not None and output.strip():
        _, name, lines = found
        for text in output.splitlines() if lines else [output]:
            yield name, json.loads(text)
