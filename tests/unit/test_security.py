"""SECURITY.md: each claim names its tests, and these exist; and claims that the code itself shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from ebpftop.frames import messages
from ebpftop.handover import protocol
from tests.support import taken_over

ROOT = Path(__file__).parents[2]
HELD, _, _ = (ROOT / "SECURITY.md").read_text().partition("## What is not a boundary")
CLAIMS = [" ".join(claim.split()) for claim in re.findall(r"^- (.*?)(?=^- |^#|^$|\Z)", HELD, re.MULTILINE | re.DOTALL)]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NAMED = sorted({match for claim in CLAIMS for match in TEST.findall(claim)})
ROOTS = ("supervisor", "loader", "collector", "kernel", "catalog", "handover", "base")


def test_there_are_claims() -> None:
    assert len(CLAIMS) > 25


@pytest.mark.parametrize("claim", CLAIMS, ids=[claim[:40] for claim in CLAIMS])
def test_a_claim_has_a_test(claim: str) -> None:
    assert TEST.search(claim)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_named_test_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_requests_are_plain_data() -> None:
    """Numbers, yes or no, and text that names something; by them no C and no command can be passed on."""
    requests = {*get_args(messages.AnyRequest), protocol.RequestLoad, protocol.RequestRunTimes}
    requests |= {protocol.RequestSymbols, protocol.Addresses, protocol.RequestProcess, protocol.RequestThreads}
    requests |= {protocol.RequestPrograms, protocol.RequestContainers, protocol.RequestCode, protocol.Program}
    requests |= {protocol.RequestMemoryEvents}  # of `Offsets` see test_what_the_dead_had_mapped_is_opened_without_root
    plain = {int, float, bool, str, dict[str, str], dict[str, list[int]], list[int], list[protocol.Addresses]}
    plain |= {list[protocol.Program], list[protocol.Offsets], list[str]}
    for request in requests:
        for name, kind in get_type_hints(request).items():
            assert kind in plain, f"{request.__name__}.{name} is {kind}"
    texts = {name for request in requests for name, kind in get_type_hints(request).items() if kind is str}
    # a name, a version that is only compared, a path that is compared with those of processes, and the name of a host,
    # which is left out on the way to it
    assert texts <= {"probe", "perf_map", "cgroup", "host"}


def test_root_imports_no_parser_of_logs() -> None:
    for room in ROOTS:
        for file in (ROOT / "ebpftop" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not [name for name in names if name.startswith("ebpftop.verifier")], file


def test_one_that_was_taken_over_tries_every_request_of_a_collector() -> None:
    requests = {kind for kind in get_args(protocol.AnyMessage) if kind.__name__.startswith("Request")}
    assert requests
    assert requests <= {type(each) for each in taken_over.REQUESTS}
    assert set(get_args(messages.AnyRequest)) - {messages.Load} == {type(each) for each in taken_over.ASKED}
