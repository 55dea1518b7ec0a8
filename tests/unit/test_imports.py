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
    assert modules & {"msgspec", "numpy", "pathlib", "shutil", "traceback"} == set()
    assert {name for name in modules if name.startswith("ebpftop.")} == {
        "ebpftop.arguments",
        "ebpftop.arguments.options",
        "ebpftop.base.argument_types",
        "ebpftop.base",
        "ebpftop.base.errors",
        "ebpftop.base.parser",
        "ebpftop.base.streams",
        "ebpftop.cli",
    }


# What a printing command can do without: it starts a hundred milliseconds sooner.
SCREENS = {"textual", "rich", "asyncio", "numpy", "plotext", "pygments", "typing_extensions"}
TRACING = {
    "ebpftop.supervisor.supervisor",
    "ebpftop.loader.load",
    "ebpftop.handover.transport",
    "ebpftop.kernel.headers",
}


@pytest.mark.parametrize(
    ("command", "without", "with_"),
    [
        ("list", SCREENS | TRACING | {"ebpftop.loader.compose"}, {"ebpftop.loader.survey", "msgspec"}),
        ("show runqlat", SCREENS | TRACING | {"ebpftop.loader.survey"}, {"ebpftop.loader.compose", "msgspec"}),
    ],
)
def test_a_command_that_prints_imports_nothing_for_other_commands(
    command: str, without: set[str], with_: set[str]
) -> None:
    code = f"import sys; from ebpftop.cli import run; run({command.split()}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stderr.split())
    assert "cpu/runqlat" in done.stdout
    assert with_ <= modules
    assert modules & without == set()


# The first screen is painted, with the catalog in it, and then `ahead` is called.
FIRST_SCREEN = """
import sys
from ebpftop.base.lean import lean
lean("asyncio", "ssl")
import asyncio
from ebpftop.catalog import folders, info
from ebpftop.frames.source import Source
from ebpftop.ui.app import app

painted = set()
paintings = []

class Live(Source):
    live = True

    async def frames(self):
        await asyncio.sleep(0.2)
        yield info.catalog(folders.read_catalog())
        await asyncio.Event().wait()

    async def request(self, request): ...

    async def close(self): ...

async def ahead():
    painted.update(sys.modules)

def painting(self):
    paintings.append(len(self.dashboard.start.answers or []))

async def main():
    app.import_ahead, app.CATALOG_FIRST = ahead, 60.0
    app.EbpftopApp.begins_painting = painting
    running = app.EbpftopApp(Live())
    async with running.run_test(size=(120, 36)) as pilot:
        while not painted:
            await pilot.pause()
        print(running.dashboard.start.line(0).text)
        print("answers at the paintings:", *paintings)

asyncio.run(main())
print(*painted, file=sys.stderr)
"""


def test_the_first_screen_is_painted_at_once_before_anything_is_imported_that_it_does_not_show() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_SCREEN], capture_output=True, text=True, check=True)
    modules = set(done.stderr.split())
    assert "first-minute" in done.stdout
    assert {"textual", "ebpftop.ui.screens.dashboard"} <= modules
    assert modules & {"numpy", "plotext", "pygments", "psutil", "bcc", "rich.markdown", "ssl", "secrets"} == set()
    assert modules & {"ebpftop.model.trigger", "ebpftop.ui.screens.parameters"} == set()
    _, paintings = done.stdout.strip().split("answers at the paintings: ")
    assert "0" not in paintings.split()
    assert {name for name in modules if name.startswith("ebpftop.verifier")} == set()
