"""Attach points that parameters name: in the manifest, and which variants a person's parameters allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpftop.catalog.document import BadManifest
from ebpftop.catalog.manifest import read_probe
from ebpftop.catalog.params import BadParam, canonical, definitions, usable
from tests.support.probes import make_probe, write_probe

PARAMS = "".join(
    f'[params.{name}]\ntype = "{kind}"\nhelp = "h"\n'
    for name, kind in (
        ("function", "function"),
        ("binary", "binary"),
        ("symbol", "symbol"),
        ("pid", "pid"),
        ("frequency", "frequency"),
    )
)


def variants(*points: str) -> str:
    return "".join(
        f'[[variants]]\nname = "v{number}"\nmeaning = "exact"\nattach = [{point}]\n'
        for number, point in enumerate(points)
    )


CHOSEN = variants(
    '{ fentry = "$function", run = "on_call" }',
    '{ kprobe = "$function", run = "on_call" }',
    '{ uprobe = "$binary:$symbol", run = "on_call" }, { usdt = "$binary:shop:sold", run = "on_call" }',
    '{ perf_event = "cpu-clock", frequency = "$frequency", run = "on_call" }',
)


def test_points_know_the_parameters_they_need(tmp_path: Path) -> None:
    probe = make_probe(tmp_path, params=PARAMS, variant=CHOSEN)
    assert [set(variant.params) for variant in probe.variants] == [
        {"function"},
        {"function"},
        {"binary", "symbol"},
        {"frequency"},
    ]
    assert probe.variants[0].attach[0].run == "on_call"
    assert probe.variants[3].attach[0].frequency == "$frequency"


@pytest.mark.parametrize(
    ("point", "complaint"),
    [
        ('{ kprobe = "$fun", run = "x" }', "kprobe: no parameter fun of type function; did you mean function?"),
        ('{ kprobe = "$pid", run = "x" }', "kprobe: no parameter pid of type function"),
        ('{ fentry = "$function" }', "run: missing, expected a string"),
        ('{ uprobe = "$binary:$pid", run = "x" }', "uprobe: no parameter pid of type symbol"),
        ('{ uprobe = "x$binary:main", run = "x" }', "uprobe: expected BINARY:SYMBOL, not 'x$binary:main'"),
        ('{ usdt = "libc:setjmp", run = "x" }', "usdt: expected BINARY:PROVIDER:NAME, not 'libc:setjmp'"),
        (
            '{ perf_event = "cpu-clock", run = "x", frequency = "99" }',
            "frequency: expected an integer (Hz) or a parameter such as $name, not '99'",
        ),
        (
            '{ perf_event = "cpu-clock", run = "x", frequency = "$pid" }',
            "frequency: no parameter pid of type frequency",
        ),
    ],
)
def test_a_mistake_in_a_point(tmp_path: Path, point: str, complaint: str) -> None:
    folder = write_probe(tmp_path, params=PARAMS, variant=variants(point))
    with pytest.raises(BadManifest) as caught:
        read_probe(folder, "cpu/calls")
    assert caught.value.problems[0].endswith(f"variants[0].attach[0].{complaint}")


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({"function": "vfs_*"}, ["v0", "v1"]),
        ({"binary": "libc", "symbol": "malloc"}, ["v2"]),
        ({"pid": "7", "symbol": "malloc"}, ["v2"]),
        ({"frequency": "99", "function": "vfs_read"}, ["v0", "v1", "v3"]),
    ],
)
def test_variants_that_have_what_they_need(tmp_path: Path, given: dict[str, str], allowed: list[str]) -> None:
    probe = make_probe(tmp_path, params=PARAMS, variant=CHOSEN)
    assert [variant.name for variant in usable(probe, canonical(probe, given))] == allowed
    lookups = dict.fromkeys(("pid", "cgroup", "device"), int)
    names = {definition.partition("=")[0] for definition in definitions(probe, given, lookups)}
    assert names <= {"-DPARAM_pid", "-DPARAM_frequency"}  # what is a text doesn't reach the compiler


def test_a_required_parameter_is_asked_for(tmp_path: Path) -> None:
    params = '[params.pid]\ntype = "pid"\nhelp = "h"\nrequired = true\n[params.limit]\ntype = "rate"\nhelp = "h"\n'
    probe = make_probe(tmp_path, params=params)
    assert probe.asks
    with pytest.raises(BadParam, match=r"^cpu/calls: give pid$"):
        usable(probe, {})
    assert len(usable(probe, canonical(probe, {"pid": "7", "limit": "100"}))) == 1
    assert definitions(probe, {"limit": "100"}, {}) == []  # the collector's, not the compiler's
    with pytest.raises(BadParam, match="a number per second from 0 to"):
        canonical(probe, {"limit": "-1"})


def test_a_required_parameter_has_no_default(tmp_path: Path) -> None:
    params = '[params.n]\ntype = "int"\nhelp = "h"\ndefault = 1\nrequired = true\n'
    with pytest.raises(BadManifest, match="it has a default"):
        make_probe(tmp_path, params=params)


def test_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    probe = make_probe(tmp_path, params=PARAMS, variant=CHOSEN)
    with pytest.raises(BadParam) as caught:
        usable(probe, {})
    assert str(caught.value) == ("cpu/calls: nothing to trace: give function, or binary and symbol, or frequency")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("function", "a;b"),
        ("function", ""),
        ("symbol", "a b"),
        ("symbol", "a:b"),
        ("symbol", "x" * 1025),
        ("binary", ""),
    ],
)
def test_what_can_be_no_name(tmp_path: Path, name: str, text: str) -> None:
    probe = make_probe(tmp_path, params=PARAMS, variant=CHOSEN)
    with pytest.raises(BadParam, match=f"cpu/calls: {name}: expected .*, not"):
        canonical(probe, {name: text})


def test_a_probe_asks_where_every_variant_lacks_a_parameter(tmp_path: Path) -> None:
    assert make_probe(tmp_path, "cpu/one", params=PARAMS, variant=CHOSEN).asks
    defaults = PARAMS.replace('type = "frequency"', 'type = "frequency"\ndefault = 49')
    assert not make_probe(tmp_path, "cpu/two", params=defaults, variant=CHOSEN).asks
    assert not make_probe(tmp_path, "cpu/three").asks
