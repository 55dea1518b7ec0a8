"""Addresses of the kernel stay in the collector: a tape holds what its consumers get."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ebpftop.frames.tape import TapeReader
from tests.support.command import ebpftop

pytestmark = [
    pytest.mark.bpf,
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="knows how x86-64 maps the kernel"),
]

# The kernel's text is mapped in the last 2 GiB; as a little-endian number in a column's bytes, and as text.
NUMBER = re.compile(rb"[\s\S]{3}[\x80-\xbf]\xff{4}")
TEXT = re.compile(r"ffffffff[89ab][0-9a-f]{7}")


def holds_an_address(value: Any) -> bool:
    match value:
        case dict():
            return any(map(holds_an_address, (*value, *value.values())))
        case list() | tuple():
            return any(map(holds_an_address, value))
        case bytes():
            return bool(NUMBER.search(value))
        case str():
            return bool(TEXT.search(value))
        case int():
            return value % (1 << 64) >= 0xFFFFFFFF80000000 and value > 0
    return False


def test_an_address_would_be_found() -> None:
    address = 0xFFFFFFFF81234567
    for value in (address, address.to_bytes(8, "little"), f"{address:x}", {"x": [address]}):
        assert holds_an_address(value)
    assert not holds_an_address([-1, (-2).to_bytes(8, "little", signed=True), 1 << 63])


def test_a_tape_of_call_stacks_names_functions_of_the_kernel_without_addresses(tmp_path: Path) -> None:
    tape = tmp_path / "stacks.tape"
    done = ebpftop("record", "-o", tape, "cpu/profile", "cpu/offcputime", "--duration", "2")
    assert done.returncode == 0, done.stderr

    def plain(array: Any) -> bytes:
        found: bytes = array.tobytes()
        return found

    frames = [msgspec.to_builtins(frame, builtin_types=(bytes,), enc_hook=plain) for _, frame in TapeReader(tape)]
    assert "_[k]" in str(frames)
    assert [frame for frame in frames if holds_an_address(frame)] == []
