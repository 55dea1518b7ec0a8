"""A user's own probe: a copied folder with ten edited lines; and `check`'s reports of mistakes in it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.support.command import CHECKOUT, ebpftop
from tests.support.tracing import trace
from tests.support.workloads import Worker

HELLO = CHECKOUT / "probes/lab/hello"
MANIFEST, SOURCE = "probe.toml", "probe.bpf.c"

# From context switches to signals sent, a line each.
EDITS = {
    MANIFEST: [
        ('title = "Hello, kernel"', 'title = "Signals sent"'),
        ('summary = "How often each process leaves a CPU."', 'summary = "How many signals each process sends."'),
        ('question = "What does a minimal probe look like?"', 'question = "Who sends signals?"'),
        ('overhead = "medium: one event per context switch"', 'overhead = "low: one event per signal"'),
        ('raw_tracepoint = "sched_switch", run = "on_switch"', 'raw_tracepoint = "signal_generate", run = "on_signal"'),
        ('map = "switches"', 'map = "sent"'),
        ('title = "switches"', 'title = "signals"'),
    ],
    SOURCE: [
        ("BPF_HASH(switches, u32, u64);", "BPF_HASH(sent, u32, u64);"),
        ("int on_switch(", "int on_signal("),
        ("switches.lookup_or_try_init", "sent.lookup_or_try_init"),
    ],
}
SEND = "import os, signal\ndef work():\n    for _ in range(29): os.kill(os.getpid(), signal.SIGCONT)"

# By what is wrong: the file, the text that is replaced and by what, then the line that `check` names and what it says.
MISTAKES = {
    "no TOML": (MANIFEST, 'title = "Hello', 'title = Hello"Hello', 1, "Invalid value"),
    "unknown key": (MANIFEST, "question", "qestion", 3, "qestion: unknown key; did you mean question?"),
    "missing key": (MANIFEST, 'summary = "How often each process leaves a CPU."\n', "", 1, "summary: missing"),
    "unknown mechanism": (MANIFEST, "raw_tracepoint", "raw_tracepiont", 8, "did you mean raw_tracepoint?"),
    "no such attach point": (
        *(MANIFEST, '"sched_switch"', '"sched_swich"', 8),
        "this kernel has no tracepoint sched_swich; did you mean sched_switch?",
    ),
    "no such classic tracepoint": (
        *(MANIFEST, 'raw_tracepoint = "sched_switch"', 'tracepoint = "sched:sched_swich"', 8),
        "this kernel has no tracepoint sched:sched_swich; did you mean sched:sched_switch?",
    ),
    "no such function": (MANIFEST, '"on_switch"', '"on_swich"', 8, "no function on_swich in probe.bpf.c"),
    "no such map": (MANIFEST, '"switches"\n', '"swiches"\n', 11, "no map swiches in probe.bpf.c"),
    "a key the view hasn't": (MANIFEST, 'show = "table"', 'show = "histogram"', 14, "sort: only for table"),
    "a view the map can't have": (
        *(MANIFEST, 'show = "table"\ntitle = "Context switches"\nsort = "value"', 'show = "events"', 12),
        "events are shown from a ring buffer",
    ),
    "no such field": (MANIFEST, 'field = "key"', 'field = "kye"', 17, "no field 'kye'"),
    "unknown unit": (MANIFEST, '"count"', '"cuonts"', 24, "did you mean count?"),
    "unknown decoder": (MANIFEST, '"process"\n\n', '"proces"\n\n', 19, "did you mean process?"),
    "unknown role": (MANIFEST, '"counter"', '"conter"', 25, "did you mean counter?"),
    "a map too large": (SOURCE, "u32, u64)", "u32, u64, 1 << 21)", 3, "more than 1048576"),
    "a failure not counted": (SOURCE, "        map_full();\n", "", 9, "may fail: count it with map_full()"),
    "lost updates": (SOURCE, "__sync_fetch_and_add(count, 1)", "switches.increment(tgid)", 14, "loses updates"),
    "C that does not compile": (SOURCE, "return 0;\n}\n", "return zero\n}\n", 15, "expected ';' after return"),
    # map_full() ends as the program does; each end keeps its line
    "what the verifier refuses": (SOURCE, "if (!count)", "if (!tgid)", 14, "R0 invalid mem access"),
}


def copied(folder: Path, file: str, *changes: tuple[str, str]) -> None:
    """Make changes, each in one line, to a file of a copied folder."""
    text = (folder / file).read_text()
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    (folder / file).write_text(text)


@pytest.mark.bpf
def test_ten_edited_lines_make_another_probe(tmp_path: Path) -> None:
    mine = tmp_path / "mine/signals"
    assert ebpftop("new", "--from", "lab/hello", mine).returncode == 0
    for file, changes in EDITS.items():
        copied(mine, file, *changes)
    entries = json.loads(ebpftop("list", "--json", "--probes", tmp_path).stdout)
    (entry,) = (entry for entry in entries if entry["id"] == "mine/signals")
    assert (entry["question"], entry["available"]) == ("Who sends signals?", True)
    assert ebpftop("check", mine).returncode == 0
    with Worker(SEND) as worker, trace("mine/signals", probes=tmp_path) as traced:
        worker.work()
    assert traced.totals("sent", "pid")[worker.pid] == {"signals": 29}


@pytest.mark.bpf
@pytest.mark.parametrize("mistake", MISTAKES)
def test_check_names_the_line_of_a_mistake(tmp_path: Path, mistake: str) -> None:
    file, old, new, line, said = MISTAKES[mistake]
    folder = tmp_path / "mine/broken"
    shutil.copytree(HELLO, folder)
    copied(folder, file, (old, new))
    done = ebpftop("check", folder)
    assert done.returncode == 1
    told = next(told for told in (done.stdout + done.stderr).splitlines() if said in told)
    assert f"/{file}:{line}: " in told


@pytest.mark.bpf
def test_a_classic_tracepoint_that_no_bundled_probe_has_is_found(tmp_path: Path) -> None:
    """Also where tracefs isn't mounted."""
    folder = tmp_path / "mine/waits"
    shutil.copytree(HELLO, folder)
    copied(folder, MANIFEST, ('raw_tracepoint = "sched_switch"', 'tracepoint = "sched:sched_process_wait"'))
    done = ebpftop("check", folder)
    assert "raw: verified; " in done.stdout
    assert done.returncode == 0


IN_A_HEADER = """\
#include "ebpftop.h"
#include "ebpftop_sockets.h"

struct place {
    u8 address[16];
};
BPF_HASH(switches, u32, struct place);

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    struct place *place = switches.lookup(&tgid);
    u32 from = bpf_get_prandom_u32();
    write_ipv4(place->address, &from);
    return 0;
}
"""


@pytest.mark.bpf
def test_what_a_shared_header_does_wrong_is_told_at_the_line_that_calls_it(tmp_path: Path) -> None:
    folder = tmp_path / "mine/broken"
    shutil.copytree(HELLO, folder)
    copied(folder, MANIFEST, ('field = "value"', 'field = "address"'), ('sort = "value"\n', ""))
    (folder / SOURCE).write_text(IN_A_HEADER)
    done = ebpftop("check", folder)
    assert done.returncode == 1
    assert "mine/broken/probe.bpf.c:14: R" in done.stdout
    assert "    14 ▶     write_ipv4(place->address, &from);" in done.stdout
    header = (CHECKOUT / "probes/include/ebpftop_sockets.h").read_text().split("\n")
    (text, line) = re.findall(r"^; (.*) @ ebpftop_sockets\.h:(\d+)$", done.stderr, re.MULTILINE)[-1]
    assert header[int(line) - 1].strip() == text
    assert "address" in text


@pytest.mark.bpf
def test_a_source_that_unfolds_to_more_than_its_share_of_memory_is_told(tmp_path: Path) -> None:
    """Ten macros of a line each: eight billion additions."""
    folder = tmp_path / "mine/bomb"
    shutil.copytree(HELLO, folder)
    source = folder / SOURCE
    macros = ["#define B0 1+1+1+1+1+1+1+1", *(f"#define B{n} " + "+".join([f"B{n - 1}"] * 10) for n in range(1, 10))]
    source.write_text("\n".join([source.read_text(), *macros, "static int bomb(void) { return B9; }\n"]))
    done = ebpftop("check", folder)
    assert done.returncode == 1
    assert "did not compile: the loader ran out of memory: limit 1,536 MiB" in done.stdout + done.stderr
