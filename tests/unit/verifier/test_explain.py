from pathlib import Path

import pytest

from ebpftop.verifier.explain import explain
from ebpftop.verifier.log import parse
from ebpftop.verifier.rules import RULES

LOGS = sorted((Path(__file__).parent / "logs").glob("*.txt"))

# name: words that only the right explanation has
TELLING = {
    "null-map-value": "map lookup returns NULL",
    "null-passed-to-helper": "takes no NULL",
    "null-ring-record": "count the loss",
    "arithmetic-before-null-check": "Check the pointer first",
    "unreleased-reference": "Submit or discard",
    "map-value-bounds": "4 bytes at offset 20, and a value has 16 bytes",
    "ring-record-overrun": "8 bytes at offset 16, and it has 16 bytes",
    "index-negative": "Bound the index",
    "infinite-loop": "never end",
    "loop-without-progress": "never end",
    "too-many-instructions": "a million steps",
    "too-many-jumps": "branches",
    "unknown-helper": "helper number 4242",
    "helper-of-another-type": "`bpf_skb_load_bytes`",
    "helper-needs-gpl": "licence",
    "indirect-call": "map method",
    "no-return-value": "without a return value",
    "uninitialised-register": "R7 has no value",
    "unreachable": "never be reached",
    "falls-off-the-end": "run off its end",
    "context-out-of-bounds": "no field of 8 bytes at offset 3200",
    "context-written": "only to be read",
    "stack-out-of-bounds": "offset -520 lies outside of the stack",
    "scalar-dereferenced": "bpf_probe_read_kernel",
    "wrong-argument": "plain number",
    "context-expected": "Pass `ctx` on",
    "unbounded-size": "Argument 2 of this helper is a size",
    "return-value": "return certain values",
}


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_every_real_complaint_is_explained_in_sentences(path: Path) -> None:
    parsed = parse(path.read_text())
    said = explain(parsed.error, parsed.insn_text)
    assert said.endswith(".")
    assert 2 <= said.count(". ") + 1 <= 5
    assert "{" not in said.replace("{}", "")


@pytest.mark.parametrize("name", TELLING)
def test_the_explanation_is_the_right_one(name: str) -> None:
    parsed = parse((LOGS[0].parent / f"{name}.txt").read_text())
    assert TELLING[name] in explain(parsed.error, parsed.insn_text)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("R1 invalid mem access 'inv'", "bpf_probe_read_kernel"),
        ("R1 type=inv expected=fp, pkt", "plain number"),
        ("invalid stack off=-520 size=8", "offset -520"),
        ("unknown func bpf_probe_read_kernel#113", "`bpf_probe_read_kernel`"),
        ("invalid indirect read from stack R2 off -8+4 size 8", "padding"),
        ("invalid read from stack R1 off -8+0 size 8", "padding"),
        ("R0 unbounded memory access, make sure to bounds check any such access", "i &= N - 1"),
        ("R3 unbounded memory access, use 'var &= const' or 'if (var < const)'", "Argument 3"),
        ("back-edge from insn 7 to 2", "Unroll"),
        ("combined stack size of 2 calls is 544. Too large", "per-CPU array"),
        ("R1 is of type task_struct but file is expected", "another kind of kernel object"),
        ("access beyond struct task_struct at off 99999 size 8", "`struct task_struct`"),
        ("R0 leaks addr into map", "CAP_PERFMON"),
        ("R3 invalid mem access 'sock_or_null'", "(sock)"),
        ("dereference of modified ctx ptr R1 off=8 disallowed", "fixed offsets"),
        ("misaligned value access off (0x0; 0x0)+0+1 size 4", "aligned"),
    ],
)
def test_wordings_of_other_kernels(error: str, words: str) -> None:
    assert words in explain(error)


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
    said = explain("R0 invalid mem access 'map_value_or_null'", source_text=line)
    assert said.startswith(f"`{name}` may be NULL")
    assert f"`if (!{name}) return 0;`" in said


@pytest.mark.parametrize("line", ["", "    return total * scale;", "    *a = *b;", "    SET(count, 1);"])
def test_no_name_is_guessed(line: str) -> None:
    assert explain("R0 invalid mem access 'map_value_or_null'", source_text=line).startswith("This pointer may be NULL")


@pytest.mark.parametrize("error", ["", "verifier bug", "something nobody has seen", "{pointer}"])
def test_what_is_unknown_stays_unexplained(error: str) -> None:
    assert explain(error) == ""


def test_the_missing_return_value_is_told_apart_by_the_instruction() -> None:
    assert "return value" in explain("R0 !read_ok", "2: (95) exit")
    assert "R0 has no value" in explain("R0 !read_ok", "2: (bf) r1 = r0")


def test_text_from_the_kernel_stays_text() -> None:
    assert "it takes {kind}." in explain("R2 type=fp expected={kind}")


def test_every_rule_can_be_filled_in() -> None:
    for rule in RULES:
        words = set(rule.pattern.groupindex) | {"pointer", "name"}
        assert set(rule.explanation.get_identifiers()) <= words
        assert set(rule.fix.get_identifiers() if rule.fix else []) <= words
        assert rule.explanation.template.endswith(".")
