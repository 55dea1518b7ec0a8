"""What is said of the complaints in logs of real programs."""

from pathlib import Path

import pytest

from ebpftop.verifier.log import parse
from ebpftop.verifier.rules import recognise

LOGS = Path(__file__).parent / "logs/6.18"

# name: (kind, words that only the right explanation has)
TOLD = {
    "arithmetic-before-null-check": ("null_deref", "Check the pointer first"),
    "context-expected": ("helper_arg_type", "Pass `ctx` on"),
    "context-moved": ("ctx_access", "a pointer it has moved"),
    "context-out-of-bounds": ("ctx_access", "no field of 8 bytes at offset 3200"),
    "context-unaligned": ("ctx_access", "no field of 4 bytes at offset 1"),
    "context-written": ("ctx_access", "may only read"),
    "falls-off-the-end": ("bad_instruction", "run off its end"),
    "frame-pointer-written": ("bad_instruction", "R10"),
    "helper-needs-gpl": ("privilege", "licence"),
    "helper-of-another-type": ("unknown_func", "may not call `bpf_skb_load_bytes`"),
    "index-negative": ("unbounded_access", "Bound the index"),
    "index-too-large": ("oob_map_value", "4 bytes at offset 28, and a value has 16 bytes"),
    "indirect-call": ("bad_instruction", "map method"),
    "infinite-loop": ("unbounded_loop", "never end"),
    "jump-out-of-the-program": ("bad_instruction", "outside of its function"),
    "loop-on-time": ("unbounded_loop", "the time, proves nothing"),
    "loop-without-progress": ("unbounded_loop", "never end"),
    "map-value-bounds": ("oob_map_value", "4 bytes at offset 20, and a value has 16 bytes"),
    "negative-size": ("unbounded_access", "Argument 2 of `bpf_probe_read_kernel` is a size, and may be negative"),
    "no-return-value": ("bad_return", "without a return value"),
    "null-map-value": ("null_deref", "map lookup returns NULL"),
    "null-passed-to-helper": ("null_deref", "Argument 2 of `bpf_map_lookup_elem` may be NULL"),
    "null-ring-record": ("null_deref", "count the loss"),
    "pointer-bits": ("pointer_arith", "Only adding and subtracting"),
    "pointer-plus-pointer": ("pointer_arith", "Adding two pointers"),
    "pointer-too-far": ("pointer_arith", "gives the pointer up"),
    "return-value": ("bad_return", "must lie in [0, 1]"),
    "ring-record-overrun": ("oob_mem", "8 bytes at offset 16, and it has 16 bytes"),
    "ring-size-not-constant": ("helper_arg_type", "Argument 2 of `bpf_ringbuf_reserve` must be a constant"),
    "scalar-dereferenced": ("invalid_mem_access", "only as a number"),
    "shift-too-wide": ("bad_instruction", "A shift by 64 bits"),
    "stack-out-of-bounds": ("oob_stack", "offset -520 lies outside of the stack"),
    "stack-read-out-of-bounds": ("oob_stack", "8 bytes at offset 8 end at 16"),
    "stack-unaligned": ("misaligned", "doesn't begin at a multiple of 8"),
    "stack-variable-offset": ("unbounded_access", "An array on the stack"),
    "too-many-instructions": ("insn_limit", "a million steps"),
    "too-many-jumps": ("insn_limit", "Make fewer branches"),
    "unbounded-index": ("unbounded_access", "Bound the index"),
    "unbounded-size": ("unbounded_access", "Argument 2 of `bpf_probe_read_kernel` is a size"),
    "uninitialised-register": ("uninitialised_reg", "R7 has no value"),
    "unknown-helper": ("unknown_func", "helper number 4242"),
    "unreachable": ("bad_instruction", "never be reached"),
    "unreleased-reference": ("unreleased_ref", "Submit or discard the record"),
    "wrong-argument": ("helper_arg_type", "gets a plain number"),
    "wrong-map": ("map_type", "`bpf_ringbuf_query` does not work on a map of type hash"),
    "zero-size": ("unbounded_access", "may be 0 here"),
}


@pytest.mark.parametrize("name", TOLD)
def test_the_kind_and_the_explanation_are_the_right_ones(name: str) -> None:
    kind, words = TOLD[name]
    parsed = parse((LOGS / f"{name}.txt").read_text())
    said = recognise(parsed.error, parsed.insn_text)
    assert said
    assert said.kind == kind
    assert words in said.explanation


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("R1 invalid mem access 'inv'", "only as a number"),
        ("R1 type=inv expected=fp, pkt", "plain number"),
        ("unknown func bpf_probe_read_kernel#113", "`bpf_probe_read_kernel`"),
        ("invalid indirect read from stack R2 off -8+4 size 8", "padding"),
        ("invalid read from stack R1 off -8+0 size 8", "padding"),
        ("R0 unbounded memory access, make sure to bounds check any such access", "i &= N - 1"),
        ("R3 unbounded memory access, use 'var &= const' or 'if (var < const)'", "Argument 3"),
        ("*(R11-16) unbounded memory access, use 'var &= const' or 'if (var < const)'", "Argument 7"),
        ("arg#1 expected pointer to ctx, but got fp", "Argument 2"),
        ("Possibly NULL pointer passed to trusted arg0", "Argument 1"),
        ("Possibly NULL pointer passed to helper arg2", "Argument 2"),
        ("Possibly NULL pointer passed to trusted R1", "Argument 1"),
        ("back-edge from insn 7 to 2", "Unroll"),
        ("combined stack size of 2 calls is 544. Too large", "these 2 need 544"),
        ("R1 is of type task_struct but file is expected", "`struct task_struct`, and must be a `struct file`"),
        ("access beyond struct task_struct at off 99999 size 8", "`struct task_struct`"),
        ("R0 leaks addr into map", "CAP_PERFMON"),
        ("R3 invalid mem access 'sock_or_null'", "a pointer to a socket"),
        ("dereference of modified ctx ptr R1 off=8 disallowed", "fixed offsets"),
        ("misaligned value access off (0x0; 0x0)+0+1 size 4", "The access of 4 bytes is not aligned"),
    ],
)
def test_wordings_of_other_kernels(error: str, words: str) -> None:
    recognised = recognise(error)
    assert recognised is not None
    assert words in recognised.explanation


def test_what_is_unknown_stays_unexplained() -> None:
    assert recognise("something nobody has seen") is None
