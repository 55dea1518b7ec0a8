"""Doors for what is kept in files or comes in lines: settings, the exporter's file, what ran last, an agent."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from functools import cache
from unittest import mock

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ebpftop.base import jsonrpc
from ebpftop.catalog.document import BadManifest
from ebpftop.catalog.exporter_file import read_exporter_file
from ebpftop.catalog.folders import read_bundled
from ebpftop.catalog.model import Probe
from ebpftop.catalog.settings import read_settings
from ebpftop.commands import mcp
from ebpftop.ui.actions import remembering
from tests.fuzz.engine import Door
from tests.fuzz.words import WORD, lines_of
from tests.support import frames
from tests.support.scratch import scratch

OWNERS = {0, os.getuid()}
TRUST = "ebpftop.catalog.files.distrust"  # a scratch file lies where all can write
CATALOG = frames.catalog(frames.probe("cpu/some", [frames.CALLS]))


def read_own_settings(data: bytes) -> None:
    """A mistake is a line, and costs its own key."""
    with scratch(data) as path, mock.patch(TRUST, return_value=""):
        found = read_settings(path, OWNERS)
    for each in (*found.problems, *found.places, *found.places.values()):
        assert each.isprintable(), each
    assert found.interval is None or found.interval >= 0.05
    assert found.budget is None or found.budget >= 0


def read_served(data: bytes) -> None:
    said: list[str] = []
    with scratch(data) as path, mock.patch(TRUST, return_value=""):
        try:
            read_exporter_file(path, OWNERS).chosen(probes())
        except BadManifest as error:
            said = error.problems
    assert all(each.isprintable() for each in said), said


@cache
def probes() -> Mapping[str, Probe]:
    return read_bundled().probes


def read_last(data: bytes) -> None:
    with scratch(data) as path:
        remembering.offering(remembering.read(path), CATALOG)


def read_agent(data: bytes) -> None:
    """Every line is answered by one of JSON, or not at all. Nothing is run: what would be is returned."""
    out = io.BytesIO()
    jsonrpc.serve(io.BytesIO(data), out.write, _answer)
    for line in out.getvalue().splitlines():
        json.loads(line)


def _answer(method: str, params: dict[str, object]) -> object:
    if method != "tools/call":
        return mcp._answer(method, params, 25.0)
    name, given = params.get("name"), params.get("arguments", {})
    if isinstance(name, str) and name in mcp.TOOLS and isinstance(given, dict):
        mcp.TOOLS[name].call(given, 25.0)
    return {}


# ---------------------------------------------------------------- what is in them

_value = st.one_of(
    st.sampled_from(
        [
            b'"dark"',
            b"0.5",
            b"nan",
            b"-inf",
            b"1e999",
            b"9" * 400,
            b"true",
            b'["/x", "~", "~nobody-has-it/x"]',
            b"[[1]]",
        ]
    ),
    st.sampled_from([b'"\\u0000"', b'"\\ud800"', b"1979-05-27T07:32:00Z", b"{a = 1}", b"'\x1b[31m'", b'"127.0.0.1:1"']),
    WORD.map(lambda word: b'"' + word + b'"'),
)
_key = st.sampled_from(
    [b"theme", b"interval", b"budget", b"playbook", b"folders", b"mouse", b"keys", b"listen", b"top", b"id", b"pid"]
)
_documents = lines_of(
    st.tuples(st.one_of(_key, WORD), st.just(b" = "), _value).map(b"".join),
    st.sampled_from([b"[keys]", b"[[probes]]", b"[probes.params]", b"[[keys]]", b'id = "syscount"', b"[a.b.c]", b"#"]),
)
_json: SearchStrategy[object] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.sampled_from(["cpu/some", "2.0"])
    ),
    lambda each: st.one_of(
        st.lists(each, max_size=3),
        st.dictionaries(st.sampled_from(["probes", "theme", "first", "name", "arguments", "id"]), each, max_size=4),
    ),
    max_leaves=10,
)
_texts = st.one_of(st.text(max_size=12), st.sampled_from(["cpu/some", "syscount", "--help", "-", "../x", "\x1b[31m"]))
_arguments = st.dictionaries(
    st.sampled_from(["probe", "params", "seconds", "playbook", "tape", "log", "source", "search", "interval"]),
    st.one_of(_json, _texts, st.dictionaries(_texts, _texts, max_size=2)),
    max_size=4,
)
_calls = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "id": st.one_of(_json, st.integers())},
    optional={
        "method": st.sampled_from(["initialize", "ping", "tools/list", "tools/call", "notifications/x", "\x1b"]),
        "params": st.one_of(
            _json, st.fixed_dictionaries({"name": st.sampled_from([*mcp.TOOLS, "x"]), "arguments": _arguments})
        ),
    },
)
_lines = st.lists(
    st.one_of(
        _calls.map(lambda value: json.dumps(value).encode()),
        st.sampled_from([b"[" * 5_000, b'{"a":' * 5_000, b"\xff", b'{"id":' + b"9" * 5_000 + b"}", b"{}", b"[]", b""]),
    ),
    max_size=5,
).map(b"\n".join)
_last = _json.map(lambda value: json.dumps(value).encode())

DOORS = [
    Door(
        "settings",
        read_own_settings,
        _documents,
        seeds=lambda: [b'theme = "light"\ninterval = 2\nfolders = ["/x"]\n[keys]\nhelp = "F1"\n'],
    ),
    Door(
        "exporter-file",
        read_served,
        _documents,
        seeds=lambda: [
            b'listen = "127.0.0.1:9435"\ntop = 20\n[[probes]]\nid = "cpu/syscount"\n[probes.params]\npid = "1"\n'
        ],
    ),
    Door(
        "what-ran-last",
        read_last,
        st.one_of(_last, st.sampled_from([b"[" * 60_000, b'{"probes":' + b"[" * 60_000])),
        seeds=lambda: [b'{"theme":"dark","probes":[["cpu/some",{"pid":"1"}]],"first":false}'],
    ),
    Door(
        "agent",
        read_agent,
        _lines,
        seeds=lambda: [
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run","arguments":{"probe":"syscount"}}}\n'
        ],
    ),
]
