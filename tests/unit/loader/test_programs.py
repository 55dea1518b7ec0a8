"""Which program a descriptor holds, as /proc tells it."""

from __future__ import annotations

import pytest

from ebpftop.loader.programs import _HOLDS, held_program

PROGRAM = b"""pos:\t0
flags:\t02000002
mnt_id:\t15
ino:\t1057
prog_type:\t17
prog_jited:\t1
prog_tag:\ta04f5eef06a7f555
memlock:\t4096
prog_id:\t95
run_time_ns:\t12
run_cnt:\t1
recursion_misses:\t0
verified_insns:\t2
"""
LINK = b"""pos:\t0
flags:\t02000000
mnt_id:\t15
ino:\t1057
link_type:\traw_tracepoint
link_id:\t4
prog_tag:\ta04f5eef06a7f555
prog_id:\t96
tp_name:\tprog_id:\t7
"""


def test_a_program_and_a_link_name_the_program() -> None:
    assert held_program(PROGRAM) == 95
    assert held_program(LINK) == 96


def test_a_link_whose_program_is_gone_names_none() -> None:
    assert held_program(b"pos:\t0\nlink_type:\titer\nlink_id:\t4\n") is None
    assert held_program(b"") is None


@pytest.mark.parametrize(
    ("target", "holds"),
    [
        ("anon_inode:bpf-prog", True),
        ("anon_inode:bpf_link", True),
        ("anon_inode:[bpf_link]", True),
        ("anon_inode:bpf-map", False),
        ("/tmp/anon_inode:bpf-prog", False),
        ("anon_inode:[perf_event]", False),
    ],
)
def test_only_descriptors_of_programs_and_links_are_read(target: str, holds: bool) -> None:
    assert bool(_HOLDS.match(target)) is holds
