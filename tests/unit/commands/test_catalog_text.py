"""`list`, `show` and `doctor` as text: wrapped at words on a terminal, one record per line in a pipe."""

from __future__ import annotations

import re

import pytest

from ebpftop.base.look import Look
from ebpftop.catalog import folders
from ebpftop.commands import catalog_text, doctor
from ebpftop.frames.messages import PlaybookInfo
from ebpftop.kernel.support import Check
from tests.support.frames import probe

CATALOG = folders.read_catalog()
PIPE = Look(100, colour=False)
SCREEN = Look(80, colour=False, terminal=True)
LONG = "fentry does not work here: loading a program: Operation not permitted (EPERM); this kernel was built without it"
PROBES = [
    probe("cpu/runqlat", title="Latency", question="Is the CPU saturated?", available=True, meaning="exact"),
    probe("disk/dcsnoop", title="Dcache", question="Which lookups?", available=False, reason=LONG),
    probe("disk/evil\x1b", title="a\tb", question="?", available=None, reason="unknown without root"),
]
PLAYBOOKS = [PlaybookInfo(name="slow", title="It is slow", summary="Why that is.", steps=[])]
CHECKS = [
    Check("BTF", True, "126700 types", ""),
    Check("pid namespace", False, "not the initial one: the kernel's process ids differ from those seen here", "leave"),
]


def lines(look: Look) -> list[str]:
    return "\n".join(catalog_text.listed(PROBES, PLAYBOOKS, look)).split("\n")


def examined(look: Look) -> list[str]:
    return "\n".join(doctor.lines(CHECKS, look)).split("\n")


def test_in_a_pipe_the_catalog_is_a_record_per_line() -> None:
    assert lines(PIPE) == [
        "cpu/runqlat\trunnable\tLatency\tIs the CPU saturated?\texact",
        f"disk/dcsnoop\tunavailable\tDcache\tWhich lookups?\t{LONG}",
        "disk/evil\\x1b\tunknown\ta\\tb\t?\tunknown without root",
        "slow\tplaybook\tIt is slow\tWhy that is.\t",
    ]


def test_on_a_terminal_it_is_grouped_and_wrapped_at_words() -> None:
    shown = lines(SCREEN)
    assert shown[:4] == ["cpu", "  ○ runqlat   Is the CPU saturated?", "", "disk"]
    assert max(map(len, shown)) <= 80
    assert shown[4].startswith("  ✗ dcsnoop   fentry does not work here: loading a program: Operation not")
    assert shown[5].startswith("              permitted (EPERM); this kernel")
    assert " ".join(" ".join(shown[4:6]).split()) == f"✗ dcsnoop {LONG}"
    assert shown[-4:] == [
        "  ≡ slow      It is slow — Why that is.",
        "",
        "○ 1 runnable   ✗ 1 unavailable   ? 1 unknown",
        "? unknown without root: sudo ebpftop list",
    ]


def test_colour_adds_nothing_but_colour() -> None:
    coloured = "\n".join(lines(Look(80, colour=True, terminal=True)))
    assert "\x1b[32m○\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == "\n".join(lines(SCREEN))


def test_the_doctor_in_a_pipe_is_a_record_per_check() -> None:
    assert examined(PIPE) == ["BTF\tok\t126700 types\t", f"pid namespace\tfailed\t{CHECKS[1].detail}\tleave"]


def test_the_doctor_on_a_terminal_ends_with_the_sum() -> None:
    assert examined(SCREEN) == [
        "✓ BTF            126700 types",
        "✗ pid namespace  not the initial one: the kernel's process ids differ from those",
        "                 seen here",
        "                 → leave",
        "",
        "1 of 2 checks passed",
    ]


@pytest.mark.parametrize("name", CATALOG.probes)
def test_show_fits_80_columns_and_keeps_every_word(name: str) -> None:
    found = CATALOG.probes[name]
    piped = "\n".join(catalog_text.shown(found, {}, PIPE))
    screen = "\n".join(catalog_text.shown(found, {}, SCREEN))
    assert found.readme.strip() in piped
    assert found.source.expandtabs(8).strip() in piped
    assert screen.replace("**", "").split() == piped.replace("**", "").split()
    head = screen[: screen.index(f"\n{found.folder}/")]  # without the C
    prose = [line for line in re.sub(r"(?ms)^```.*?^```", "", head).splitlines() if not line.startswith(("    ", "|"))]
    assert max(map(len, prose)) <= 80, max(prose, key=len)
