from pathlib import Path

import pytest

from ebpftop.catalog.lint import lint
from tests.support.probes import SOURCE, VARIANT, VIEW, make_probe

EVENTS_VIEW = '\n[[views]]\nmap = "events"\nshow = "events"\n'
EVENTS = """\
struct event {
    u64 at;
    u32 tgid;
    char comm[16];
};
BPF_RINGBUF_OUTPUT(events, 64);

int on_enter(struct bpf_raw_tracepoint_args *ctx)
{
    struct event *e = events.ringbuf_reserve(sizeof(struct event));
    if (!e) {
        ring_full();
        return 0;
    }
    e->at = bpf_ktime_get_ns();
    e->tgid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(&e->comm, sizeof(e->comm));
    events.ringbuf_submit(e, BPF_RB_NO_WAKEUP);
    return 0;
}
"""


def findings(root: Path, probe_id: str = "cpu/calls", **parts: str) -> list[str]:
    probe = make_probe(root, probe_id, **parts)
    return [finding.removeprefix(f"{probe.folder}/") for finding in lint(probe)]


def test_a_probe_that_keeps_the_rules_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path) == []
    assert findings(tmp_path, "cpu/events", view=EVENTS_VIEW, source=EVENTS) == []


def with_map(declaration: str, code: str = "") -> str:
    """The usual C with one more map at line 2 and some code at the start of on_enter (line 6)."""
    return SOURCE.replace("BPF_HASH", f"{declaration}\nBPF_HASH", 1).replace(
        "    u32 tgid", f"    {code}\n    u32 tgid"
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            SOURCE.replace("__sync_fetch_and_add(count, 1)", "counts.increment(tgid)"),
            [
                "probe.bpf.c:13: counts.increment() loses updates on a map that isn't per CPU; "
                "use __sync_fetch_and_add()"
            ],
        ),
        (
            SOURCE.replace("__sync_fetch_and_add(count, 1)", "counts.atomic_increment(tgid)"),
            ["probe.bpf.c:13: counts.atomic_increment() doesn't report a full map; use lookup_or_try_init()"],
        ),
        (with_map("BPF_PERCPU_ARRAY(n, u64, 4);", "n.increment(0);"), []),
        (with_map("BPF_ARRAY(n, u64, 4);", "n.atomic_increment(0);"), []),
        (
            with_map("BPF_PERCPU_HASH(n, u32); // bounded: one", "n.increment(0);"),
            ["probe.bpf.c:7: n.increment() doesn't report a full map; use lookup_or_try_init()"],
        ),
        (SOURCE.replace("__sync", "// counts.increment(tgid);\n    __sync"), []),
    ],
)
def test_counting_is_atomic_and_tells_of_a_full_map(tmp_path: Path, source: str, expected: list[str]) -> None:
    assert findings(tmp_path, source=source) == expected


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ("BPF_ARRAY(big, u64, 1048576);", []),
        ("BPF_ARRAY(big, u64, 1048577);", ["probe.bpf.c:2: big has 1048577 entries, more than 1048576"]),
        ("BPF_RINGBUF_OUTPUT(ring, 4096);", []),
        ("BPF_RINGBUF_OUTPUT(ring, 8192);", ["probe.bpf.c:2: ring has 8192 pages, more than 4096"]),
    ],
)
def test_a_map_has_a_limit(tmp_path: Path, declaration: str, expected: list[str]) -> None:
    assert findings(tmp_path, source=with_map(declaration)) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            SOURCE.replace("map_full();", ""),
            ["probe.bpf.c:8: counts.lookup_or_try_init() may fail: count it with map_full()"],
        ),
        (
            SOURCE.replace("u64 zero = 0;", "u64 zero = 0; counts.update(&tgid, &zero);"),
            ["probe.bpf.c:7: counts.update() may fail: count it with map_full()"],
        ),
        (SOURCE.replace("u64 zero = 0;", "u64 zero = 0; if (counts.insert(&tgid, &zero)) map_full();"), []),
        (with_map("BPF_ARRAY(n, u64, 4);", "int k = 0; u64 v = 1; n.update(&k, &v);"), []),
        (
            EVENTS.replace("ring_full();", "map_full();"),
            ["probe.bpf.c:10: events.ringbuf_reserve() may fail: count it with ring_full()"],
        ),
    ],
)
def test_a_failed_update_is_counted(tmp_path: Path, source: str, expected: list[str]) -> None:
    view = EVENTS_VIEW if "ringbuf" in source else VIEW
    assert findings(tmp_path, source=source, view=view) == expected


@pytest.mark.parametrize(
    ("declaration", "bounded"),
    [
        ("BPF_HASH(start, u32, u64);", False),
        ("BPF_HASH(start, u32, u64); // when it began", False),
        ("BPF_HASH(start, u32, u64); // bounded:", False),
        ("BPF_HASH(start, u32, u64); // bounded: deleted when the call returns", True),
        ('BPF_TABLE("hash", u32, u64, start, 10240);', False),
        ('BPF_TABLE("lru_hash", u32, u64, start, 10240);', True),
        ('BPF_TABLE("lru_percpu_hash", u32, u64, start, 10240);', True),
        ("BPF_HISTOGRAM(start, struct key);", False),
        ("BPF_HISTOGRAM(start);", True),
        ("BPF_ARRAY(start, u64, 4);", True),
    ],
)
def test_a_hash_is_bounded(tmp_path: Path, declaration: str, bounded: bool) -> None:
    expected = (
        "probe.bpf.c:2: start can fill up: use a process that a view shows as its key, make it an lru_hash, "
        "or add a comment to its line: // bounded: by what"
    )
    assert findings(tmp_path, source=with_map(declaration)) == ([] if bounded else [expected])


def test_a_hash_whose_view_shows_no_process_must_be_bounded(tmp_path: Path) -> None:
    (finding,) = findings(tmp_path, view=VIEW.replace('decode = "process"', ""))
    assert finding.startswith("probe.bpf.c:2: counts can fill up: ")


def test_a_histogram_by_process_is_bounded(tmp_path: Path) -> None:
    view = '\n[[views]]\nmap = "counts"\nshow = "histogram"\nby = ["tgid"]\ncolumns = [{{ field = "tgid"{} }}]\n'
    assert findings(tmp_path, view=view.format(', decode = "process"')) == []
    assert len(findings(tmp_path, "cpu/other", view=view.format(""))) == 1


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (EVENTS.replace("e->at =", "u64 at ="), ["probe.bpf.c:10: field at of struct event is never written"]),
        (
            EVENTS.replace("bpf_get_current_comm(&e->comm, sizeof(e->comm));", ""),
            ["probe.bpf.c:10: field comm of struct event is never written"],
        ),
        (EVENTS.replace("e->at = bpf_ktime_get_ns();", "*e = (struct event){};").replace("e->tgid =", "u32 t ="), []),
        (EVENTS.replace("e->at =", "__builtin_memset(e, 0, sizeof(*e)); u64 at ="), []),
        (
            EVENTS.replace("int on_enter", "static void fill(struct event *e) { e->at = 1; }\n\nint on_enter").replace(
                "e->at = bpf_ktime_get_ns();", "fill(e);"
            ),
            [],
        ),
        (EVENTS.replace("sizeof(struct event)", "sizeof(*e)"), []),
        (
            EVENTS.replace("sizeof(struct event)", "32").replace("struct event *e", "void *e"),
            ["probe.bpf.c:10: a record of events must be a struct declared in this file, reserved into a variable"],
        ),
    ],
)
def test_every_field_of_a_record_is_written(tmp_path: Path, source: str, expected: list[str]) -> None:
    assert findings(tmp_path, source=source, view=EVENTS_VIEW) == expected


def test_perf_buffers_are_forbidden(tmp_path: Path) -> None:
    assert findings(tmp_path, source=with_map("BPF_PERF_OUTPUT(old);")) == [
        "probe.bpf.c:2: perf buffers are not supported; use BPF_RINGBUF_OUTPUT"
    ]


def test_printing_is_for_the_lab_only(tmp_path: Path) -> None:
    source = with_map("", 'bpf_trace_printk("hello");')
    assert findings(tmp_path, "lab/hello", source=source) == []
    assert findings(tmp_path, source=source) == [
        "probe.bpf.c:7: bpf_trace_printk() writes to a file all tracers share; only for lab/"
    ]


TWO = VARIANT + VARIANT.replace('"raw"', '"classic"').replace("raw_tracepoint =", "kprobe =")


def test_each_of_several_variants_has_its_condition(tmp_path: Path) -> None:
    source = SOURCE.replace("int on", "#ifdef VARIANT_raw\n#elif defined(VARIANT_classc)\n#endif\nint on")
    assert findings(tmp_path, variant=TWO, source=source) == [
        "probe.bpf.c:5: the manifest has no variant classc; did you mean classic?",
        "probe.toml:11: no #ifdef VARIANT_classic in probe.bpf.c",
    ]
    assert findings(tmp_path, "cpu/fixed", variant=TWO, source=source.replace("classc", "classic")) == []


def test_variants_that_trace_the_same_calls_in_other_files_share_their_code(tmp_path: Path) -> None:
    one, other = (
        f'[[variants]]\nname = "{name}"\nattach = [{{ uprobe = "lib{name}:{call}", run = "on_enter" }}]\n'
        for name, call in (("c", "malloc"), ("other", "their_malloc"))
    )
    assert findings(tmp_path, variant=f"{one}{other}") == []


def test_what_the_manifest_names_is_in_the_source(tmp_path: Path) -> None:
    fentry = VARIANT.replace('raw_tracepoint = "sys_enter", run = "on_enter"', 'fentry = "vfs_read"')
    assert findings(tmp_path, "cpu/run", source=SOURCE.replace("int on_enter", "int on_entry")) == [
        "probe.toml:8: no function on_enter in probe.bpf.c; did you mean on_entry?"
    ]
    assert findings(tmp_path, "cpu/fentry", variant=fentry) == [
        "probe.toml:8: no function kfunc__vfs_read in probe.bpf.c"
    ]
    assert findings(tmp_path, "cpu/kfunc", variant=fentry, source=SOURCE + "KFUNC_PROBE(vfs_read) { return 0; }") == []
    source = with_map("BPF_HISTOGRAM(dist);")
    view = VIEW + '\n[[views]]\nmap = "dits"\nshow = "histogram"\n'
    assert findings(tmp_path, "cpu/map", view=view, source=source) == [
        "probe.toml:21: no map dits in probe.bpf.c; did you mean dist?"
    ]
