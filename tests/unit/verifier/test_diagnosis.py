"""Whole logs explained: real ones, and written ones in the forms of kernels that aren't here."""

import re
from pathlib import Path

import pytest

from ebpftop.verifier.diagnosis import Diagnosis, diagnose
from ebpftop.verifier.source import Place, Source
from ebpftop.verifier.wrapping import unwrap

HERE = Path(__file__).parent
REAL = sorted(path.stem for path in (HERE / "logs/6.18").glob("*.txt"))

# name: (kind, instructions of the chain, a register involved, words of what it held)
EXPECTED: dict[str, tuple[str, list[int | None], str, str]] = {
    "null-map-value": ("null_deref", [7, 8], "r0", "a value of 8 bytes in the map counts or NULL"),
    "null-ring-record": ("null_deref", [4, 6], "r0", "a ring buffer record of 8 bytes or NULL"),
    "null-passed-to-helper": ("null_deref", [6, 9, 10], "r2", "a value of 4 bytes in the map inner or NULL"),
    "index-too-large": ("oob_map_value", [9, 10, 11, 12, 14], "r6", "at an offset from 0 to 28"),
    "map-value-bounds": ("oob_map_value", [6, 7, 9], "r0", "a value of 16 bytes in the map values"),
    "index-negative": ("unbounded_access", [9, 10, 11, 12], "r0", "of at most 9223372036854775804, maybe negative"),
    "unbounded-index": ("unbounded_access", [9, 10, 11], "r6", "a value of 16 bytes in the map values"),
    "unbounded-size": ("unbounded_access", [10, 14, 15], "r2", "any number"),
    "negative-size": ("unbounded_access", [10, 11, 15, 16], "r2", "a number of at most 63, maybe negative"),
    "scalar-dereferenced": ("invalid_mem_access", [0, 1], "r0", "any number"),
    "ring-size-not-constant": ("helper_arg_type", [2, 3, 5, 7], "r2", "a number from 0 to 63"),
    "return-value": ("bad_return", [0, 1], "r0", "the number 7"),
    "context-expected": ("helper_arg_type", [4, 5, 7], "r1", "the stack, 8 bytes below the frame pointer"),
    "context-out-of-bounds": ("ctx_access", [None, 0], "r1", "the program's context"),
    "wrong-argument": ("helper_arg_type", [2, 4, 5], "r2", "any number"),
    "unreleased-reference": ("unreleased_ref", [4, 9], "r0", "the number 0"),
}


def explained(text: str, source: Source | None = None) -> Diagnosis:
    diagnosis = diagnose(unwrap(text.split("\n")), source)
    assert diagnosis is not None
    return diagnosis


def real(name: str) -> str:
    return (HERE / f"logs/6.18/{name}.txt").read_text()


def written(name: str) -> Diagnosis:
    return explained((HERE / f"written/{name}.txt").read_text())


@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_refused_and_what_led_to_it(name: str) -> None:
    kind, chain, register, words = EXPECTED[name]
    diagnosis = explained(real(name))
    assert diagnosis.kind == kind
    assert [step.insn for step in diagnosis.chain] == chain
    assert words in diagnosis.registers[register]
    assert diagnosis.chain[-1].insn == diagnosis.insn


@pytest.mark.parametrize("name", REAL)
def test_every_real_failure_is_known(name: str) -> None:
    diagnosis = explained(real(name))
    assert diagnosis.known
    assert diagnosis.failed
    assert diagnosis.message in real(name)
    assert all(step.why for step in diagnosis.chain)
    assert bool(diagnosis.chain) == bool(re.search(r"^\d+: \(", real(name), re.MULTILINE))


def test_a_summary_of_go_is_enough_for_an_explanation() -> None:
    said = "8: (79) r1 = *(u64 *)(r0 +0): R0 invalid mem access 'map_value_or_null' (13 line(s) omitted)"
    diagnosis = explained(f"program f: load program: permission denied: {said}\n")
    assert (diagnosis.kind, diagnosis.insn, diagnosis.program) == ("null_deref", 8, "f")
    assert [step.insn for step in diagnosis.chain] == [None, 8]


def test_a_kernel_of_5_15_at_log_level_2() -> None:
    diagnosis = written("copy-checked-5.15")
    assert (diagnosis.kind, diagnosis.insn) == ("unbounded_access", 15)
    assert diagnosis.source == Place(None, None, "s->seen[cpu + 1] = 1;")
    assert diagnosis.registers["r0"] == "any number (inv(id=0))"
    assert [(step.insn, step.why) for step in diagnosis.chain] == [
        (9, "`cpu` (R0) is what `bpf_get_smp_processor_id` returns: any number"),
        (13, "this checks R1, which was computed from R0, and proves nothing about R0 itself"),
        (14, "R0 is changed, and still is any number"),
        (15, "rejected here: R0 is any number, and no check on this path bounds it"),
    ]


def test_the_other_side_of_a_branch_at_log_level_2() -> None:
    diagnosis = written("branches-level-2")
    assert [(step.insn, step.why) for step in diagnosis.chain] == [
        (0, "R6 is set here: the number 0"),
        (3, "this branch is taken, past what writes R6 on the other path"),
        (6, "rejected here: R6 is the number 0"),
    ]
    assert diagnosis.source == Place("a.bpf.c", 12, "return *kept;")


def test_a_function_of_the_program() -> None:
    diagnosis = written("function-returns-null")
    assert diagnosis.kind == "null_deref"
    assert [step.insn for step in diagnosis.chain] == [9, 2, 3, 4]


def test_the_authors_file_is_quoted() -> None:
    text = (HERE / "written/branches-level-2.txt").read_text()
    c = "\n" * 11 + "\treturn *kept;\n"
    assert explained(text, Source("a.bpf.c", c)).source == Place("a.bpf.c", 12, "\treturn *kept;")


REPORT = """\

Verification failed: Register Type Safety: Something new

Reason:
  R0 is of a kind that no rule knows.

At:
  f @ count.bpf.c:12:5
  Source context:
  >>> 12 |     *count += 1;
             | ^-- error: something new
  Instruction context:
  >>> 8 | (79) r1 = *(u64 *)(r0 +0)

Causal path:
  insn 7
        | ^-- update: R0 changed from A to B
  Instruction context:
  >>> 7 | (85) call bpf_new#999

Suggestion:
  Do it otherwise.

processed 9 insns (limit 1000000) max_states_per_insn 0
"""


def test_a_report_explains_what_no_rule_knows() -> None:
    diagnosis = explained("something nobody has seen\n" + REPORT)
    assert (diagnosis.kind, diagnosis.message, diagnosis.insn) == ("other", "something nobody has seen", 8)
    assert diagnosis.explanation == "R0 is of a kind that no rule knows."
    assert diagnosis.fix == "Do it otherwise."
    assert diagnosis.source == Place("count.bpf.c", 12, "*count += 1;")
    assert [(step.insn, step.text, step.why) for step in diagnosis.chain] == [
        (7, "call bpf_new#999", "update: R0 changed from A to B")
    ]
    assert diagnosis.known


def test_what_is_unknown_is_said_to_be() -> None:
    diagnosis = explained(real("null-map-value").replace("R0 invalid mem access", "R0 is odd:"))
    assert (diagnosis.kind, diagnosis.known, diagnosis.failed) == ("unknown", False, True)
    assert diagnosis.message == "R0 is odd: 'map_value_or_null'"
    assert [step.insn for step in diagnosis.chain] == [7, 8]


def test_the_complaint_that_is_known_counts_among_several() -> None:
    said = "arg#0 is odd\nR0 invalid mem access 'map_value_or_null'"
    diagnosis = explained(real("null-map-value").replace("R0 invalid mem access 'map_value_or_null'", said))
    assert (diagnosis.kind, diagnosis.message) == ("null_deref", "R0 invalid mem access 'map_value_or_null'")


def test_what_a_global_function_is_given_is_told_with_what_is_wrong_with_it() -> None:
    diagnosis = explained((HERE / "logs/6.18/global-given-a-number.txt").read_text())
    assert (diagnosis.kind, diagnosis.message) == ("global_func", "R1 type=scalar expected=fp")
    assert diagnosis.explanation.startswith("A global function is checked once")
    assert [step.insn for step in diagnosis.chain] == [0, 1, 2]


@pytest.mark.parametrize("kernel", ["6.1", "6.12", "6.18"])
@pytest.mark.parametrize(
    ("name", "chain", "taker", "register"),
    [
        ("ring-record-used-after-submit", [4, 5, 6, 9, 11], "bpf_ringbuf_submit", "r6"),
        ("ring-record-submitted-twice", [4, 5, 6, 9, 10, 12], "bpf_ringbuf_submit", "r1"),
        ("packet-after-change", [2, 7, 8], "bpf_xdp_adjust_head", "r6"),
    ],
)
def test_a_pointer_that_a_call_took_away(kernel: str, name: str, chain: list[int], taker: str, register: str) -> None:
    diagnosis = explained((HERE / f"logs/{kernel}/{name}.txt").read_text())
    assert [step.insn for step in diagnosis.chain] == chain
    (took,) = [step for step in diagnosis.chain if step.took]
    assert took.text.startswith(f"call {taker}#")
    assert took.why.startswith("after this call the pointer is no longer valid: R6 was ")
    assert diagnosis.registers[register].startswith("any number (scalar")
    assert diagnosis.chain[-1].why == f"rejected here: {register.upper()} is any number"
    assert diagnosis.explanation.startswith(f"`{taker}` ")
    assert "probe_read" not in diagnosis.explanation + (diagnosis.fix or "")


def test_a_pointer_is_taken_away_once_by_the_first_call_that_does() -> None:
    log = """\
2: (61) r6 = *(u32 *)(r1 +0)          ; R1=ctx() R6_w=pkt(r=0)
3: (85) call bpf_xdp_adjust_head#44   ; R0=scalar()
4: (85) call bpf_ktime_get_ns#5       ; R0=scalar()
5: (85) call bpf_xdp_adjust_tail#65   ; R0=scalar()
6: (71) r0 = *(u8 *)(r6 +0)
R6 invalid mem access 'scalar'
processed 7 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
    diagnosis = explained(log)
    assert [(step.insn, bool(step.took)) for step in diagnosis.chain] == [(2, False), (3, True), (6, False)]
    assert diagnosis.explanation.startswith("`bpf_xdp_adjust_head` ")


def test_a_map_of_the_wrong_type_is_followed() -> None:
    diagnosis = explained((HERE / "logs/6.1/tail-call-through-a-hash.txt").read_text())
    assert (diagnosis.kind, [step.insn for step in diagnosis.chain]) == ("map_type", [0, 3])
    assert diagnosis.chain[-1].why == "rejected here: R2 is a map"


def test_a_log_without_a_complaint() -> None:
    accepted = real("null-map-value").replace("R0 invalid mem access 'map_value_or_null'\n", "")
    diagnosis = explained(accepted)
    assert (diagnosis.kind, diagnosis.failed, diagnosis.known) == ("none", False, False)
    assert "processed 8 instructions" in diagnosis.explanation
    cut = explained(accepted[: accepted.index("processed")])
    assert "ends at instruction 8 without an error message" in cut.explanation


def test_some_complaints_come_with_what_was_known() -> None:
    log = """\
40: (73) *(u8 *)(r1 +63) = r2
 R1_w=map_value(id=0,off=0,ks=4,vs=64,smin_value=-63,smax_value=0) R2_w=inv47 R10=fp0
R1 unbounded memory access, make sure to bounds check any such access
processed 40 insns (limit 1000000) max_states_per_insn 4 total_states 9 peak_states 9 mark_read 3
"""
    diagnosis = explained(log)
    assert diagnosis.registers["r1"].startswith("a value of 64 bytes in a map at an offset from -63 to 0 (")
    assert diagnosis.registers["r2"] == "the number 47 (inv47)"


def test_a_register_named_below_the_complaint_is_followed() -> None:
    log = """\
14: (79) r3 = *(u64 *)(r10 -8)        ; R3_w=map_value(map=data,ks=4,vs=96,off=16,smin=0,smax=umax=64) R10=fp0
15: (85) call bpf_probe_read_kernel#113
invalid access to map value, value_size=96 off=80 size=32
R3 max value is outside of the allowed memory range
processed 15 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
    diagnosis = explained(log)
    assert diagnosis.kind == "oob_map_value"
    assert list(diagnosis.registers) == ["r3"]
    assert [step.insn for step in diagnosis.chain] == [None, 14, 15]


@pytest.mark.parametrize(
    ("text", "kind", "known"),
    [
        ("libbpf: map 'events': failed to create: Operation not permitted(-1)\n", "privilege", True),
        ("libbpf: map 'events': failed to create: Invalid argument(-22)\n", "unsupported", True),
        ("libbpf: Error in bpf_object__probe_loading():Operation not permitted(1). Couldn't\n", "privilege", True),
        ("bpf: Failed to load program: Operation not permitted\n\n", "privilege", True),
        ("program f: load program: operation not permitted (MEMLOCK may be too low)\n", "privilege", True),
        ("program f: load program: argument list too long\n", "insn_limit", True),
        ("libbpf: prog 'f': BPF program load failed: No space left on device\n", "other", True),
        ("libbpf: prog 'f': BPF program load failed: Invalid argument\n", "unknown", False),
    ],
)
def test_what_a_loader_says_without_a_log(text: str, kind: str, known: bool) -> None:
    diagnosis = explained(text)
    assert (diagnosis.kind, diagnosis.known) == (kind, known)
    assert diagnosis.message == text.strip()


def test_a_log_of_one_unknown_line_is_a_failure_all_the_same() -> None:
    diagnosis = explained("libbpf: prog 'f': -- BEGIN PROG LOAD LOG --\nsomething new\n-- END PROG LOAD LOG --\n")
    assert (diagnosis.kind, diagnosis.message, diagnosis.program) == ("unknown", "something new", "f")


@pytest.mark.parametrize("text", ["", "\n\n", "hello\nworld\n", "R0 is a register\n" * 1_000, "\0\x01\x02"])
def test_what_is_no_log_is_none(text: str) -> None:
    assert diagnose(unwrap(text.split("\n"))) is None


def test_the_fix_stands_below_the_explanation() -> None:
    assert explained((HERE / "logs/6.18/null-map-value.txt").read_text()).words == (
        "`count` may be NULL here: a map lookup returns NULL when the key is absent, and nothing checked it. Check it "
        "between the lookup and the first use.\n    if (!count)\n        return 0;"
    )


def test_without_a_fix_there_is_the_explanation_and_of_an_unknown_complaint_nothing() -> None:
    end = "\nprocessed 2 insns (limit 1000000)"
    assert explained(f"0: (37) r0 /= 0\ndiv by zero{end}").words == (
        "The program divides by a constant zero. Check the divisor."
    )
    assert explained(f"0: (95) exit\nsomething nobody has seen{end}").words == ("ebpftop doesn't know this message.")
