"""A perf map is a log: its last line for a place wins."""

import io

import pytest

from ebpftop.kernel.perf_map import Compiled, compiled


@pytest.mark.parametrize(
    ("lines", "address", "expected"),
    [
        ("1000 10 zz_old\n1000 10 aa_new\n", 0x1008, (0x1000, 0x1010, b"aa_new")),
        ("1000 10 aa_old\n1000 10 zz_new\n", 0x1008, (0x1000, 0x1010, b"zz_new")),
        ("1000 800 big\n1000 40 small\n", 0x1008, (0x1000, 0x1040, b"small")),
        ("1000 800 big\n1100 40 small\n", 0x1108, (0x1100, 0x1140, b"small")),
        ("1100 40 small\n1000 800 big\n", 0x1108, (0x1000, 0x1800, b"big")),
        ("1000 800 first\n1100 40 second\n1000 800 third\n", 0x1108, (0x1000, 0x1800, b"third")),
        ("1000 800 old\n17ff 800 new\n2000 1 other\n", 0x1800, (0x17FF, 0x1FFF, b"new")),
        ("1000 800 old\n1000 10 new\n", 0x1100, None),
        ("1000 800 old\n17ff 1 new\n", 0x1100, None),
        ("1000 800 old\nff0 11 new\n", 0x1100, None),
        ("1000 800 stays\nff0 10 before\n1800 10 after\n", 0x1100, (0x1000, 0x1800, b"stays")),
        ("1000 10 name with spaces\r\n", 0x100F, (0x1000, 0x1010, b"name with spaces\r")),
        ("1000 10 one\n", 0x1010, None),
        ("1000 10 one\n", 0xFFF, None),
    ],
)
def test_the_last_line_for_a_place_wins_and_ends_what_it_overlaps(
    lines: str, address: int, expected: tuple[int, int, bytes] | None
) -> None:
    found = compiled(io.BytesIO(lines.encode()), [address])
    assert found == ({address: Compiled(*expected)} if expected else {})


def test_addresses_in_several_functions_each_find_their_own() -> None:
    lines = b"1000 800 old\n2000 10 beside\n1100 40 new\n"
    found = compiled(io.BytesIO(lines), [0x1108, 0x110C, 0x2001, 0x1001, 0x5000])
    assert {address: each.name for address, each in found.items()} == {
        0x1108: b"new",
        0x110C: b"new",
        0x2001: b"beside",
    }
