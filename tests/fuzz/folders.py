"""Doors for folders of probes: manifests, playbooks and C."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from ebpftop.catalog import folders, info, params
from ebpftop.catalog.csource import CSource
from ebpftop.catalog.lint import lint
from ebpftop.catalog.numbering import mark
from ebpftop.kernel import mentions
from tests.fuzz.engine import Door
from tests.fuzz.words import LOOKUPS, WORD, lines_of, text_of
from tests.support.command import CHECKOUT
from tests.support.probes import HEAD, SOURCE, VARIANT, VIEW


def read_folder(files: dict[str, bytes]) -> None:
    """As the reader of --probes does; a folder that is wrong is a line among the problems."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as root:
        for name, content in files.items():
            path = Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        part = folders.read_folder(Path(root))
        found = info.catalog(folders.merged([part]))
        for problem in found.problems:
            assert problem.isprintable(), problem
        for probe in part.probes.values():
            for said in lint(probe):
                assert said.isprintable(), said
            with contextlib.suppress(params.BadParam):
                params.definitions(probe, {each.name: each.default or "1" for each in probe.params}, LOOKUPS)


def read_manifest(data: bytes) -> None:
    read_folder({"cpu/calls/probe.toml": data, "cpu/calls/probe.bpf.c": SOURCE.encode()})


def read_playbook(data: bytes) -> None:
    read_folder({"playbooks/evil.toml": data})


def read_source(data: bytes) -> None:
    read_folder({"cpu/calls/probe.toml": (HEAD + VARIANT + VIEW).encode(), "cpu/calls/probe.bpf.c": data})
    text = text_of(data)
    mentions.names(text)
    list(mentions.tracepoints(text))
    CSource(text)
    mark(text)


_KEYS = (
    *("title", "summary", "question", "overhead", "name", "attach", "map", "show", "unit", "by", "field", "decode"),
    *("role", "type", "help", "default", "min", "max", "choices", "required", "sort", "priority", "hidden", "stacks"),
    *("kernel", "user", "moments", "gauge", "slot", "count", "given", "meaning", "raw_tracepoint", "kprobe", "uprobe"),
    *("run", "args", "usdt", "perf", "frequency", "about", "opens", "id", "view", "params", "probes", "x"),
)
_TABLES = ("", "[params.pid]", "[[variants]]", "[[views]]", "[[views.columns]]", "[open]", "[[probes]]", "[a.b.c]")
_scalars = st.one_of(
    st.integers(-(1 << 65), 1 << 65),
    st.floats(),
    st.booleans(),
    st.text(max_size=12),
    st.sampled_from(
        ["pid", "histogram", "table", "events", "stacks", "counts", "process", "on_enter", "counter", "ns"]
    ),
    st.dates(),
)
_values = st.recursive(
    _scalars,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), each, max_size=3),
    max_leaves=6,
)


def toml(value: object) -> str:
    """A value as TOML, as far as it has one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + "}"
    return str(value)


_assignments = st.tuples(st.sampled_from(_KEYS), _values).map(lambda pair: f"{pair[0]} = {toml(pair[1])}")
_tables = st.tuples(st.sampled_from(_TABLES), st.lists(_assignments, max_size=5)).map(
    lambda pair: "\n".join([pair[0], *pair[1]])
)


def documents(*parts: str) -> st.SearchStrategy[bytes]:
    """Documents of these parts and of others, each of which may be missing or come twice."""
    whole = st.lists(st.one_of(st.sampled_from(parts), _tables), max_size=8)
    return whole.map(lambda found: "\n".join(found).encode("utf-8", "replace"))


@cache
def bundled(suffix: str, most: int = 40) -> Sequence[bytes]:
    return [each.read_bytes() for each in sorted((CHECKOUT / "probes").rglob(suffix))[:most]]


def playbooks() -> Sequence[bytes]:
    return [each.read_bytes() for each in sorted((CHECKOUT / "probes" / "playbooks").glob("*.toml"))]


DOORS = [
    Door("manifest", read_manifest, documents(HEAD, VARIANT, VIEW), seeds=lambda: bundled("probe.toml")),
    Door("playbook", read_playbook, documents(HEAD, '[[probes]]\nid = "cpu/calls"\nquestion = "x"'), seeds=playbooks),
    Door(
        "source",
        read_source,
        lines_of(st.sampled_from(SOURCE.encode().split(b"\n")), WORD),
        seeds=lambda: bundled("*.bpf.c", 20),
    ),
]
