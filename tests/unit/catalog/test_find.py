from pathlib import Path

import msgspec
import pytest

from ebpftop.catalog.find import UnknownProbe, find
from ebpftop.catalog.model import Probe
from tests.support.probes import make_probe


@pytest.fixture
def catalog(tmp_path: Path) -> dict[str, Probe]:
    one = make_probe(tmp_path)
    ids = ("cpu/runqlat", "cpu/syscount", "disk/biolatency", "lab/hello", "disk/top", "network/top")
    return {probe_id: msgspec.structs.replace(one, id=probe_id) for probe_id in ids}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("cpu/runqlat", "cpu/runqlat"), ("runqlat", "cpu/runqlat"), ("hello", "lab/hello"), ("disk/top", "disk/top")],
)
def test_an_id_or_a_unique_name_is_found(catalog: dict[str, Probe], text: str, expected: str) -> None:
    assert find(catalog, text).id == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("top", "top is ambiguous: disk/top, network/top"),
        ("runqlatt", "unknown probe 'runqlatt'; did you mean cpu/runqlat?"),
        ("cpu/runqlta", "unknown probe 'cpu/runqlta'; did you mean cpu/runqlat?"),
        ("disk/runqlat", "unknown probe 'disk/runqlat'; did you mean cpu/runqlat?"),
        ("tops", "unknown probe 'tops'; did you mean disk/top or network/top?"),
        ("zzz", "unknown probe 'zzz'; 'ebpftop list' shows them all"),
        ("", "unknown probe ''; 'ebpftop list' shows them all"),
        ("\x1b[1m\n", "unknown probe '\\x1b[1m\\n'; 'ebpftop list' shows them all"),
    ],
)
def test_what_is_not_found_is_answered_with_the_nearest(catalog: dict[str, Probe], text: str, complaint: str) -> None:
    with pytest.raises(UnknownProbe) as caught:
        find(catalog, text)
    assert str(caught.value) == complaint
