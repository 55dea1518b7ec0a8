"""Modules import each other in one direction, down to the last one: also where only a type checker looks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest


def cycle(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """Modules that import one another, each the next; none if there is no such cycle."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = grimp.build_graph("ebpftop", include_external_packages=False, exclude_type_checking_imports=False)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert "ebpftop.model.failure" in imports["ebpftop.model.run"]  # under TYPE_CHECKING
    assert cycle(imports) == []


@pytest.mark.parametrize(("imports", "found"), [({"a": "b", "b": "c"}, 0), ({"a": "b", "b": "ca", "c": ""}, 3)])
def test_a_cycle_is_found(imports: dict[str, str], found: int) -> None:
    assert len(cycle(imports)) == found


def test_help_imports_only_what_it_prints_with() -> None:
    code = "import sys; from ebpftop.cli import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stderr.split())
    assert "usage: ebpftop" in done.stdout
    assert "argparse" in modules  # the list is one
    assert modules & {"msgspec", "numpy", "platform", "tempfile", "traceback"} == set()
    assert {name for name in modules if name.startswith("ebpftop.")} == {
        "ebpftop.base",
        "ebpftop.base.errors",
        "ebpftop.base.streams",
        "ebpftop.cli",
    }
