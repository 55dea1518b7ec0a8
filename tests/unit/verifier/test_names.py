"""Names in explanations and fixes: the author's own where the line has them."""

import pytest

from ebpftop.verifier.rules import recognise
from ebpftop.verifier.rules.names import names
from ebpftop.verifier.rules.types import any_of, map_type, phrase

CALL = "16: (85) call bpf_probe_read_kernel#113"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("    *count += 1;", "count"),
        ("    value->a[5] = 1;", "value"),
        ("    return *count;", "count"),
        ("    total = total * 2 + (*seen);", "seen"),
        ("    u64 *count = 0; *count = 1;", "count"),
    ],
)
def test_the_pointer_gets_its_name_from_the_authors_line(line: str, name: str) -> None:
    said = recognise("R0 invalid mem access 'map_value_or_null'", source_text=line)
    assert said
    assert said.explanation.startswith(f"`{name}` may be NULL")
    assert said.fix == f"if (!{name})\n    return 0;"


@pytest.mark.parametrize("line", ["", "    return total * scale;", "    *a = *b;", "    SET(count, 1);"])
def test_no_name_is_guessed(line: str) -> None:
    said = recognise("R0 invalid mem access 'map_value_or_null'", source_text=line)
    assert said
    assert said.explanation.startswith("This pointer may be NULL")


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("    bpf_probe_read_kernel(&buffer, length, address);", "length"),
        ("    if (bpf_probe_read_kernel(buffers[pick(a, b)], length, address))", "length"),
        ("    bpf_probe_read_kernel(&buffer, a + b, address);", "size"),
        ("    bpf_probe_read_kernel(&buffer,", "size"),
        ("    bpf_probe_read_kernel(&buffer, length", "size"),
        ("    READ(&buffer, length, address);", "size"),
        ("", "size"),
    ],
)
def test_an_argument_gets_its_name_from_the_call(line: str, size: str) -> None:
    assert names({"reg": "R2"}, CALL, line)["size"] == size


@pytest.mark.parametrize(
    ("line", "index"), [("    a[i] = 1;", "i"), ("    a[i] = b[j];", "i"), ("    a[4] = 1;", "i"), ("a[ n ]++", "n")]
)
def test_an_index_gets_its_name_if_there_is_one(line: str, index: str) -> None:
    assert names({}, "", line)["index"] == index


@pytest.mark.parametrize(
    ("place", "nth"),
    [
        ("R1", "1"),
        ("R5", "5"),
        ("arg#0", "1"),
        ("args#2", "3"),
        ("arg1", "2"),
        ("*(R11-8)", "6"),
        ("R0", ""),
        ("R10", ""),
        ("", ""),
    ],
)
def test_arguments_are_counted_from_one(place: str, nth: str) -> None:
    assert names({"arg": place}, CALL, "")["nth"] == nth


def test_the_function_called_is_named() -> None:
    assert names({}, CALL, "")["call"] == "`bpf_probe_read_kernel`"
    assert names({}, "3: (85) call pc+4", "")["call"] == "this call"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("scalar", "a plain number"),
        ("fp", "a pointer to the stack"),
        ("rdonly_mem", "a pointer to memory (read-only)"),
        ("rdonly_untrusted_mem", "a pointer to memory (read-only, not trusted)"),
        ("percpu_rcu_ptr_", "a pointer to a kernel object (one for each CPU, protected by RCU)"),
        ("ptr_task_struct", "a pointer to a kernel object"),
        ("sock_", "a pointer to a socket"),
        ("rdonly_buf", "a pointer to a read-only buffer"),
        ("something_new", "`something_new`"),
    ],
)
def test_types_in_words(name: str, words: str) -> None:
    assert phrase(name) == words


def test_a_list_of_types_has_each_once() -> None:
    said = any_of("sock_common, sock, tcp_sock, ptr_, trusted_ptr_")
    assert said == (
        "a pointer to a socket or a pointer to a TCP socket or a pointer to a kernel object or a pointer to a kernel "
        "object (trusted)"
    )


def test_types_of_maps_are_named() -> None:
    assert [map_type(number) for number in ("1", "2", "9", "27", "33", "99")] == [
        "hash",
        "array",
        "lru_hash",
        "ringbuf",
        "arena",
        "99",
    ]
