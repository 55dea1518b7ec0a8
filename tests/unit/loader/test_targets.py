"""From a manifest's targets and a person's parameters to the places attached to."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import sys
from pathlib import Path

import pytest

from ebpftop.catalog.model import Attach, Mechanism, Param, Probe, Variant
from ebpftop.kernel import points
from ebpftop.loader import targets
from ebpftop.loader.binaries import NoBinary, cached_libraries, open_binary
from ebpftop.loader.targets import BadTarget, Place, Targets
from tests.support.elf_file import FUNCTION, INDIRECT, elf, note, write

PARAMS = (
    Param(name="pid", type="pid", help="h"),
    Param(name="function", type="function", help="h"),
    Param(name="binary", type="binary", help="h"),
    Param(name="symbol", type="symbol", help="h"),
    Param(name="frequency", type="frequency", help="h", default="49"),
)
FUNCTIONS = {
    b"read_row": (FUNCTION, 0),
    b"write_row": (FUNCTION, 16),
    b"__write_row": (FUNCTION, 16),
    b"read_table": (FUNCTION, 32),
    b"quick": (INDIRECT, 48),
}
NOTES = note(b"shop", b"sold", 0x401008, semaphore=0x401020) + note(b"shop", b"sold", 0x401018)


def places(mechanism: Mechanism, target: str, rate: int | str = 0, **chosen: str) -> list[Place]:
    variant = Variant(
        name="v",
        meaning="exact",
        attach=(Attach(mechanism=mechanism, target=target, run="on_call", frequency=rate),),
    )
    probe = Probe(
        id="application/some",
        folder=Path("/nowhere"),
        title="",
        summary="",
        question="",
        overhead="",
        params=PARAMS,
        variants=(variant,),
        views=(),
        source="",
    )
    return Targets(probe, chosen, contextlib.nullcontext).places(variant)


@pytest.fixture
def program(tmp_path: Path) -> str:
    return str(write(tmp_path / "shop", elf(FUNCTIONS, NOTES)))


# ---------------------------------------------------------------- functions of a file


def test_a_pattern_is_one_place_for_each_function_it_matches(program: str) -> None:
    found = places("uprobe", "$binary:$symbol", binary=program, symbol="*_row")
    assert [(place.name, place.offset, str(place)) for place in found] == [
        ("read_row", 0x1000, f"uprobe:{program}:read_row"),
        ("write_row", 0x1010, f"uprobe:{program}:write_row"),  # known as __write_row too
    ]
    assert {(place.run, place.program, place.path) for place in found} == {("on_call", "on_call", program)}


@pytest.mark.parametrize(
    ("symbol", "complaint"),
    [
        ("read_rwo", "{} has no function read_rwo; did you mean read_row?"),
        ("zzz*", "no function of {} matches 'zzz*'"),
        ("quick", "{}: the loader chooses an implementation of quick; trace that by its name"),
        ("\x1b(B", r"{} has no function \x1b(B"),
    ],
)
def test_a_symbol_that_is_not_there(program: str, symbol: str, complaint: str) -> None:
    with pytest.raises(BadTarget) as caught:
        places("uprobe", "$binary:$symbol", binary=program, symbol=symbol)
    assert str(caught.value) == complaint.format(program)


def test_more_matches_than_the_limit_are_refused_with_both_numbers(tmp_path: Path) -> None:
    many = write(tmp_path / "many", elf({b"f%d" % n: (FUNCTION, n) for n in range(1009)}, code=bytes(2048)))
    with pytest.raises(BadTarget, match=re.escape("'f*' matches 1,009 functions of ")) as caught:
        places("uprobe", "$binary:$symbol", binary=str(many), symbol="f*")
    assert str(caught.value).endswith("; the limit is 100")


def test_each_site_of_a_static_probe_is_a_place(program: str) -> None:
    found = places("usdt", "$binary:shop:sold", binary=program)
    assert [(place.name, place.offset, place.semaphore) for place in found] == [
        ("sold", 0x1008, 0x1020),
        ("sold", 0x1018, 0),
    ]
    with pytest.raises(BadTarget, match="has no static probe shop:slod; did you mean shop:sold"):
        places("usdt", "$binary:shop:slod", binary=program)


def test_what_is_no_program(tmp_path: Path) -> None:
    for data, why in (
        (b"#!/bin/sh\n", "not a 64-bit little-endian ELF file"),
        (elf(FUNCTIONS)[:300], "has no symbols"),
        (elf(FUNCTIONS, machine=40), "made for another architecture"),
        (struct.pack("<I", 7), "not a 64-bit little-endian ELF file"),
        (
            elf(FUNCTIONS)[:54] + bytes(4) + elf(FUNCTIONS)[58:],
            "an object file, which can't be run before it is linked",
        ),
    ):
        file = write(tmp_path / "file", data)
        with pytest.raises(BadTarget, match=why):
            places("uprobe", "$binary:read_row", binary=str(file))


@pytest.mark.parametrize("name", ["/no/such/file", "/etc", "/dev/zero", "no-such-library"])
def test_a_file_that_is_not_there_or_no_file(name: str) -> None:
    with pytest.raises(BadTarget):
        places("uprobe", "$binary:read_row", binary=name)


# ---------------------------------------------------------------- finding files


def test_a_library_and_a_program_by_name() -> None:
    path, _ = open_binary("libc")
    assert re.search(r"/libc\.so\.6$", path)
    assert open_binary("libc.so.6")[0] == path
    assert open_binary("sh")[0].endswith("/sh")


def test_the_program_of_a_process_and_a_library_it_uses() -> None:

    assert os.path.samefile(open_binary("", os.getpid())[0], sys.executable)
    assert "libc" in open_binary("libc", os.getpid())[0]
    with pytest.raises(NoBinary, match=rf"process {os.getpid()} uses no 'libnothing'"):
        open_binary("libnothing", os.getpid())
    with pytest.raises(NoBinary, match="process 4194304: No such file"):
        open_binary("", 4194304)


@pytest.mark.parametrize("size", [0, 19, 40, 60, 1000])
def test_a_broken_cache_of_libraries_names_nothing_wrong(tmp_path: Path, size: int) -> None:
    cache = tmp_path / "cache"
    cache.write_bytes(Path("/etc/ld.so.cache").read_bytes()[:size])
    assert all(isinstance(name, str) for name, _ in cached_libraries(cache))
    assert list(cached_libraries(tmp_path / "none")) == []


# ---------------------------------------------------------------- functions of the kernel


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("vfs_read", "vfs_write", "vfs_twice", "vfs_twice", *(f"ext4_{n}" for n in range(211)))
    monkeypatch.setattr(points, "traceable", lambda: names)
    missing = "this kernel has no traceable function {}: renamed or inlined".format
    monkeypatch.setattr(points, "missing", lambda _, name: None if name in names else missing(name))


@pytest.mark.usefixtures("kernel")
def test_functions_of_the_kernel() -> None:
    assert [place.target for place in places("kprobe", "$function", function="vfs_*")] == ["vfs_read", "vfs_write"]
    (place,) = places("fentry", "$function", function="vfs_read")
    assert (place.run, place.program) == ("on_call", "kfunc__vfs_read")
    with pytest.raises(BadTarget, match=r"function vfs_raed: renamed or inlined; did you mean vfs_read\?"):
        places("kprobe", "$function", function="vfs_raed")
    with pytest.raises(BadTarget, match=re.escape("'ext4_*' matches 211 functions of this kernel; the limit is 100")):
        places("kprobe", "$function", function="ext4_*")
    assert targets.MOST == 100


def test_a_frequency_and_a_fixed_target() -> None:
    assert places("perf_event", "cpu-clock", "$frequency", frequency="99")[0].frequency == 99
    assert places("perf_event", "cpu-clock", 49)[0].frequency == 49
    assert str(places("kprobe", "vfs_read")[0]) == "kprobe:vfs_read"
