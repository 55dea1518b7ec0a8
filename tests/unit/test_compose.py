"""Which shared headers a probe gets, and which of them are spliced into its text."""

from ebpftop.loader.compose import spliced, used_headers

HEADERS = {
    "ebpftop.h": "int basic;",
    "ebpftop_maps.h": "int maps;",
    "ebpftop_file.h": "int file;",
    "ebpftop_calls_maps.h": '#include "ebpftop_file.h"\nint calls;',
    "ebpftop_block.h": "int block;",
}


def test_a_probe_gets_what_it_includes_and_what_that_includes() -> None:
    used = used_headers(HEADERS, '#include "ebpftop.h"\n  #  include "ebpftop_calls_maps.h"\n#include "mine.h"\n')
    assert list(used) == ["ebpftop.h", "ebpftop_maps.h", "ebpftop_file.h", "ebpftop_calls_maps.h"]
    assert spliced(used) == f"{HEADERS['ebpftop_maps.h']}\n{HEADERS['ebpftop_calls_maps.h']}"


def test_a_probe_that_includes_nothing_gets_what_all_have() -> None:
    used = used_headers(HEADERS, "// no ebpftop_block.h\n")
    assert list(used) == ["ebpftop.h", "ebpftop_maps.h"]
    assert spliced(used) == "int maps;"
