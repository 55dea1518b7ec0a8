"""Writes, reads and breaks probe folders for tests."""

from pathlib import Path

from ebpftop.catalog.manifest import read_probe
from ebpftop.catalog.model import Probe

HEAD = """\
title = "Calls"
summary = "Counts calls."
question = "Who calls?"
overhead = "low"
"""
VARIANT = """
[[variants]]
name = "raw"
attach = [{ raw_tracepoint = "sys_enter", run = "on_enter" }]
"""
VIEW = """
[[views]]
map = "counts"
show = "table"
[[views.columns]]
field = "key"
decode = "process"
[[views.columns]]
field = "value"
role = "counter"
"""
SOURCE = """\
#include "ebpftop.h"
BPF_HASH(counts, u32, u64);

int on_enter(struct bpf_raw_tracepoint_args *ctx)
{
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    u64 zero = 0;
    u64 *count = counts.lookup_or_try_init(&tgid, &zero);
    if (!count) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(count, 1);
    return 0;
}
"""


def write_probe(
    root: Path,
    probe_id: str = "cpu/calls",
    *,
    head: str = HEAD,
    params: str = "",
    variant: str = VARIANT,
    view: str = VIEW,
    source: str = SOURCE,
) -> Path:
    """Writes root/CATEGORY/NAME with these parts of a manifest and this C; returns it."""
    folder = root / probe_id
    folder.mkdir(parents=True)
    (folder / "probe.toml").write_text(head + params + variant + view)
    (folder / "probe.bpf.c").write_text(source)
    return folder


def make_probe(root: Path, probe_id: str = "cpu/calls", **parts: str) -> Probe:
    """Write a probe folder like `write_probe`, and read it."""
    return read_probe(write_probe(root, probe_id, **parts), probe_id)
