from textwrap import dedent

import pytest

from ebpftop.catalog.csource import CSource

TEXT = dedent(
    """\
    // BPF_HASH(not, u32);
    #define SIZE 4096
    #define TWICE (SIZE * 2)
    /* struct no { int x; };
       BPF_HASH(neither, u32); */
    struct key {
        u32 tgid, slot; // u64 old;
        char comm[16], *name;
        u64 bits : 3;
        struct in6_addr addr;
    };
    BPF_HASH(plain, u32); // bounded: processes
    BPF_HASH(sized, struct key, u64, TWICE);
    BPF_PERCPU_HASH(hot,
        u32, u64, /* bounded: by CPUs */
        1 << 12);
    BPF_TABLE("lru_percpu_hash", struct key, u64, recent, 0x100);
    BPF_ARRAY(all, u64, SIZE * SIZE);
    BPF_PERCPU_ARRAY(slots, u64, LL_SLOTS);
    BPF_HISTOGRAM(dist);
    BPF_HISTOGRAM(by_key, struct key);
    BPF_RINGBUF_OUTPUT(events, 64);
    BPF_STACK_TRACE(stacks, 1024);

    static inline int helper(u32 a,
                             struct key *k)
    {
        char *text = "} /* no comment */ // neither";
        if (a) { return 1; }
        return 0;
    }

    struct key *
    find(void) { return 0; }
    #ifdef VARIANT_raw
    int on_enter(struct bpf_raw_tracepoint_args *ctx) {
        return helper(1, 0);
    }
    #endif
    int declared(int a);
    KFUNC_PROBE(vfs_read, struct file *file)
    {
        return 0;
    }
    KRETFUNC_PROBE(vfs_read, struct file *file, int ret) { return 0; }
    """
)
SOURCE = CSource(TEXT)


@pytest.mark.parametrize(
    ("name", "kind", "key", "entries", "line"),
    [
        ("plain", "hash", "u32", 10240, 12),
        ("sized", "hash", "struct key", 8192, 13),
        ("hot", "percpu_hash", "u32", 4096, 14),
        ("recent", "lru_percpu_hash", "struct key", 256, 17),
        ("all", "array", "", 1 << 24, 18),
        ("slots", "percpu_array", "", None, 19),
        ("dist", "histogram", "", 64, 20),
        ("by_key", "histogram", "struct key", 64, 21),
        ("events", "ringbuf", "", 64, 22),
        ("stacks", "stacktrace", "", 1024, 23),
    ],
)
def test_a_map_is_read(name: str, kind: str, key: str, entries: int | None, line: int) -> None:
    found = SOURCE.map(name)
    assert found is not None
    assert (found.kind, found.key, found.entries, found.line) == (kind, key, entries, line)


def test_no_map_is_made_up() -> None:
    assert len(SOURCE.maps) == 10
    assert SOURCE.map("not") is None
    assert SOURCE.map("neither") is None


def test_a_maps_nature_follows_its_kind() -> None:
    assert {found.name for found in SOURCE.maps if found.hash} == {"plain", "sized", "hot", "recent", "by_key"}
    assert {found.name for found in SOURCE.maps if found.array} == {"all", "slots", "dist"}
    assert {found.name for found in SOURCE.maps if found.per_cpu} == {"hot", "recent", "slots"}


def test_the_comments_of_a_declaration_are_kept() -> None:
    assert [found.comment for found in SOURCE.maps[:3]] == ["// bounded: processes", "", "/* bounded: by CPUs */"]


def test_functions_are_found_with_their_bodies() -> None:
    assert [function.name for function in SOURCE.functions] == [
        "helper",
        "find",
        "on_enter",
        "kfunc__vfs_read",
        "kretfunc__vfs_read",
    ]
    assert SOURCE.body(SOURCE.functions[2]) == "{\n    return helper(1, 0);\n}"
    assert SOURCE.body(SOURCE.functions[4]) == "{ return 0; }"


def test_structs_are_found_with_their_fields() -> None:
    assert SOURCE.structs == {"key": ["tgid", "slot", "comm", "name", "bits", "addr"]}


def test_comments_are_blanked_in_place_and_strings_kept() -> None:
    assert len(SOURCE.code) == len(TEXT)
    assert SOURCE.code.count("\n") == TEXT.count("\n")
    assert '"} /* no comment */ // neither"' in SOURCE.code
    assert "u64 old" not in SOURCE.code


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("0x10", 16),
        ("10UL", 10),
        ("(4 * 4)", 16),
        ("2 * 3 * 4", 24),
        ("1 << 3", 8),
        ("SIZE", 4096),
        ("TWICE * 2", 16384),
        ("1 << 64", None),
        ("LL_SLOTS", None),
        ("sizeof(int)", None),
        ("", None),
    ],
)
def test_sizes_are_worked_out_as_far_as_the_text_tells(text: str, value: int | None) -> None:
    assert SOURCE.number(text) == value


def test_defines_in_a_circle_have_no_value() -> None:
    assert CSource("#define A B\n#define B A\n").number("A") is None
