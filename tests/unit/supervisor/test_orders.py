"""Requests that a collector passes on, as the root side takes them: nobody there believes that they were checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpftop.catalog.current import CurrentCatalog
from ebpftop.catalog.params import BadParam
from ebpftop.supervisor.folders import Folders
from ebpftop.supervisor.orders import Orders
from tests.support.probes import write_probe

KINDS = {"only": "comm", "pid": "pid", "cgroup": "cgroup"}
PARAMS = "".join(f'[params.{name}]\ntype = "{kind}"\nhelp = "x"\n' for name, kind in KINDS.items())


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    write_probe(tmp_path, params=PARAMS)
    current = CurrentCatalog([tmp_path], again=False, system=tmp_path / "nowhere")
    return Orders(Folders(current, None), internal={}, includes={}, bcc=tmp_path, invoker=None)


@pytest.mark.parametrize("probe", ["no/such", "../../etc", "cpu/calls/../calls", "/etc/passwd", "CPU/CALLS", ""])
def test_a_request_is_checked_on_roots_side(orders: Orders, probe: str) -> None:
    with pytest.raises(LookupError):
        orders.of(probe, {})


@pytest.mark.parametrize(
    "params",
    [
        {"other": "1"},
        {"pid": "0"},
        {"pid": "1; rm"},
        {"only": "a" * 17},
        {"only\n-I/": "x"},
        {"x" * 9000: ""},
    ],
)
def test_so_are_its_parameters(orders: Orders, params: dict[str, str]) -> None:
    with pytest.raises(BadParam):
        orders.of("cpu/calls", params)


def test_what_reaches_the_compiler_is_made_on_roots_side(orders: Orders) -> None:
    order = orders.of("cpu/calls", {"only": "-I /"})
    assert order.definitions() == ["-DPARAM_only={45,73,32,47,0,0,0,0,0,0,0,0,0,0,0,0}"]


def test_what_a_parameter_names_is_looked_up_by_the_loader(orders: Orders) -> None:
    order = orders.of("cpu/calls", {"pid": "4194303"})
    with pytest.raises(BadParam, match="pid: '4194303': no such process"):
        order.definitions()


@pytest.mark.parametrize("kind", ["container", "pod", "unit"])
def test_names_that_the_collector_looks_up_leave_no_trace_on_roots_side(orders: Orders, kind: str) -> None:
    order = orders.of("cpu/calls", {kind: "-I / \n*/"})
    assert order.definitions() == ["-DBY_GROUP"]


def test_a_pid_that_the_collector_did_not_look_up_is_no_pid(orders: Orders) -> None:
    order = orders.of("cpu/calls", {"pid": "web:1"})
    with pytest.raises(BadParam, match="pid: 'web:1': not a pid of this host"):
        order.definitions()
