from pathlib import Path

import pytest

from ebpftop.catalog.folders import bundled, read_catalog
from ebpftop.catalog.lint import lint

CATALOG = read_catalog(system=Path("/nonexistent"))


def test_every_bundled_folder_is_a_probe() -> None:
    assert CATALOG.problems == []
    folders = {f"{path.parent.parent.name}/{path.parent.name}" for path in bundled().glob("*/*/probe.toml")}
    assert set(CATALOG.probes) == folders


@pytest.mark.parametrize("probe_id", CATALOG.probes)
def test_a_bundled_probe_keeps_the_rules(probe_id: str) -> None:
    assert lint(CATALOG.probes[probe_id]) == []
