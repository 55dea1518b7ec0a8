"""From a manifest's targets and a person's parameters to the places attached to."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from ebpftop.catalog.model import Attach, Mechanism, Param, Probe, Variant
from ebpftop.kernel import points
from ebpftop.kernel.elf import Elf
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


def probe_at(
    mechanism: Mechanism, target: str, rate: int | str = 0, params: tuple[Param, ...] = PARAMS
) -> tuple[Probe, Variant]:
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
        params=params,
        variants=(variant,),
        views=(),
        source="",
    )
    return probe, variant


def places(mechanism: Mechanism, target: str, rate: int | str = 0, **chosen: str) -> list[Place]:
    probe, variant = probe_at(mechanism, target, rate)
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
        ("quick", "{}: the dynamic loader chooses an implementation of quick; trace that one by its name"),
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


def test_only_the_process_that_is_named_is_attached_to_and_arguments_come_along(program: str) -> None:
    (place,) = places("uprobe", "$binary:$symbol", binary="libc", symbol="getpid", pid=str(os.getpid()))
    assert place.process == os.getpid()
    (place,) = places("uprobe", "$binary:$symbol", binary=program, symbol="read_row")
    assert place.process == -1
    Path(program).write_bytes(elf({}, note(b"shop", b"sold", 0x401008, arguments=b"8@%rdi -4@$7")))
    (place,) = places("usdt", "$binary:shop:sold", binary=program)
    assert place.arguments == "8@%rdi -4@$7"


def test_a_library_that_is_not_here_may_be_a_processs_own(program: str) -> None:
    binary = Param(name="binary", type="binary", help="h", default="no-such-library")
    no_symbol = msgspec.structs.replace(binary, default=program)
    missing = "there is no program or library 'no-such-library' here: give its path"
    assert targets.absent_file(*probe_at("usdt", "$binary:a:b", params=(binary,))) == missing
    assert targets.absent_file(*probe_at("usdt", "$binary:a:b", params=(binary, PARAMS[0]))) is None
    assert targets.absent_file(*probe_at("uprobe", "no-such-library:f", params=PARAMS[:1])) is None
    assert targets.absent_file(*probe_at("usdt", "$binary:a:b", params=(no_symbol, PARAMS[0]))) is not None


def test_what_is_no_program(tmp_path: Path) -> None:
    for data, why in (
        (b"#!/bin/sh\n", "not a 64-bit little-endian ELF file"),
        (elf(FUNCTIONS)[:300], "has no symbols"),
        (elf(FUNCTIONS, machine=40), "built for another architecture"),
        (struct.pack("<I", 7), "not a 64-bit little-endian ELF file"),
        (
            elf(FUNCTIONS)[:54] + bytes(4) + elf(FUNCTIONS)[58:],
            "an object file, which must be linked before it can run",
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


@pytest.fixture
def mapped(tmp_path: Path) -> Path:
    """A library that this process has mapped."""
    original = next(path for name, path in cached_libraries() if name == "libm.so.6")
    library = tmp_path / "mapped.so"
    library.write_bytes(Path(original).read_bytes())
    ctypes.CDLL(str(library))
    return library


def inode(opened: tuple[str, int]) -> int:
    try:
        return os.fstat(opened[1]).st_ino
    finally:
        os.close(opened[1])


@pytest.mark.root
@pytest.mark.parametrize("replaced", [False, True])
def test_the_path_of_a_process_is_the_file_it_has_mapped_though_deleted(mapped: Path, *, replaced: bool) -> None:
    before = mapped.stat().st_ino
    link = mapped.with_name("link.so")
    link.symlink_to(mapped)
    assert inode(open_binary(str(link), os.getpid())) == before
    held = mapped.open("rb")  # its inode's number is not used again
    mapped.unlink()
    if replaced:
        mapped.write_bytes(b"another file")
    opened = open_binary(str(mapped), os.getpid())
    assert opened[0] == str(mapped)
    assert inode(opened) == before
    assert inode(open_binary("mapped", os.getpid())) == before
    held.close()


def test_a_file_that_the_process_has_not_mapped_is_not_taken_for_one(program: str) -> None:
    with pytest.raises(NoBinary, match=rf"process {os.getpid()} has not mapped {program}: give a path as in /proc"):
        open_binary(program, os.getpid())


def test_what_is_attached_to_is_told_by_inode_and_build(mapped: Path) -> None:
    elf = Elf.of(descriptor := os.open(mapped, os.O_RDONLY))
    wanted = re.search(r"Build ID: ([0-9a-f]+)", subprocess.check_output(["readelf", "-n", mapped], text=True))
    assert wanted is not None
    assert elf.build_id().hex() == wanted[1]
    file = targets.File(str(mapped), descriptor)
    assert str(file) == f"{mapped} is the file of inode {mapped.stat().st_ino}, build ID {wanted[1]}"
    os.close(descriptor)


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
