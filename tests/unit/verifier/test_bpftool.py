"""What bpftool writes of programs that Linux 6.18 refuses, libbpf's lines around the log included: seven object files
made by clang, each loaded by `bpftool prog load`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpftop.verifier.failures import failures

LOGS = Path(__file__).parent / "bpftool"

# name: (kind, program, instruction, line of the C, what stands there)
READ = {
    "null-map-value": ("null_deref", "count_calls", 8, 7, "*n += 1;"),
    "index-one-too-far": ("oob_map_value", "hist_calls", 19, 8, "v->slots[i]++;"),
    "record-kept": ("unreleased_ref", "leak", 14, 8, "if (*e == 59) return 0;"),
    "loop-on-time": ("unbounded_loop", "spin", 3, 5, "while (bpf_ktime_get_ns() < end);"),
    "packet-unchecked": ("oob_packet", "first_byte", 1, 6, "return data[13] == 8 ? 0 : -1;"),
    "size-negative": ("unbounded_access", "size", 6, 7, "return bpf_probe_read_kernel(buf, n, (void *)ctx->args[0]);"),
    "helper-of-another-type": ("unknown_func", "skb", 6, 5, "return bpf_skb_load_bytes(ctx, 0, &x, 8);"),
}


def test_every_log_is_in_the_table() -> None:
    assert {path.stem for path in LOGS.glob("*.txt")} == set(READ)


@pytest.mark.parametrize("name", READ)
def test_it_is_read(name: str) -> None:
    kind, program, insn, line, text = READ[name]
    with (LOGS / f"{name}.txt").open("rb") as log:
        (found,) = failures(log)
    assert (found.kind, found.program, found.insn) == (kind, program, insn)
    assert found.source is not None
    assert (found.source.file, found.source.line, found.source.text.strip()) == (f"{name}.bpf.c", line, text)
    assert found.chain[-1].insn == insn
