"""Logs of real programs, made by make_logs.py, and the forms other kernels and loaders give them."""

import json
from pathlib import Path

import pytest

from ebpftop.verifier.lines import line_for
from ebpftop.verifier.log import Parsed, parse

HERE = Path(__file__).parent
LINES = json.loads((HERE / "logs/lines.json").read_text())

# name: (complaint, instruction, instructions looked at)
EXPECTED: dict[str, tuple[str, int | None, int]] = {
    "arithmetic-before-null-check": (
        "R0 pointer arithmetic on map_value_or_null prohibited, null-check it first",
        7,
        7,
    ),
    "context-expected": ("R1 type=fp expected=ctx", 7, 7),
    "context-moved": ("variable ctx access var_off=(0x0; 0x8) disallowed", 4, 5),
    "context-out-of-bounds": ("invalid bpf_context access off=3200 size=8", 0, 1),
    "context-unaligned": ("invalid bpf_context access off=1 size=4", 0, 1),
    "context-written": ("invalid bpf_context access off=0 size=8", 1, 2),
    "falls-off-the-end": ("last insn is not an exit or jmp", None, 0),
    "frame-pointer-written": ("frame pointer is read only", 0, 1),
    "helper-needs-gpl": ("cannot call GPL-restricted function from non-GPL compatible program", 7, 8),
    "helper-of-another-type": ("program of this type cannot use helper bpf_skb_load_bytes#26", 3, 4),
    "index-negative": ("math between map_value pointer and register with unbounded min value is not allowed", 12, 12),
    "index-too-large": ("invalid access to map value, value_size=16 off=28 size=4", 14, 14),
    "indirect-call": ("unknown opcode 8d", None, 0),
    "infinite-loop": ("infinite loop detected at insn 0", 0, 9),
    "jump-out-of-the-program": ("jump out of range from insn 0 to 101", 0, 0),
    "loop-without-progress": ("infinite loop detected at insn 4", 4, 9),
    "loop-on-time": ("infinite loop detected at insn 3", 3, 12),
    "map-value-bounds": ("invalid access to map value, value_size=16 off=20 size=4", 9, 9),
    "negative-size": ("R2 min value is negative, either use unsigned or 'var &= const'", 16, 17),
    "no-return-value": ("R0 !read_ok", 2, 4),
    "null-map-value": ("R0 invalid mem access 'map_value_or_null'", 8, 8),
    "null-passed-to-helper": (
        "R2 type=map_value_or_null expected=fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_",
        10,
        9,
    ),
    "null-ring-record": ("R0 invalid mem access 'ringbuf_mem_or_null'", 6, 6),
    "pointer-bits": ("R0 bitwise operator &= on pointer prohibited", 8, 8),
    "pointer-plus-pointer": ("R0 pointer += pointer prohibited", 1, 2),
    "pointer-too-far": ("math between map_value pointer and 2147483647 is not allowed", 8, 8),
    "return-value": ("At program exit the register R0 has smin=7 smax=7 should have been in [0, 1]", 1, 2),
    "ring-record-overrun": ("invalid access to memory, mem_size=16 off=16 size=8", 7, 7),
    "ring-size-not-constant": ("R2 is not a known constant'", 7, 7),
    "scalar-dereferenced": ("R0 invalid mem access 'scalar'", 1, 2),
    "shift-too-wide": ("invalid shift 64", 1, 2),
    "stack-out-of-bounds": ("invalid write to stack R10 off=-520 size=8", 1, 2),
    "stack-read-out-of-bounds": ("invalid read from stack R10 off=8 size=8", 0, 1),
    "stack-unaligned": ("misaligned stack access off 0+0+-12 size 8", 1, 2),
    "stack-variable-offset": ("invalid unbounded variable-offset write to stack R0", 4, 5),
    "too-many-instructions": ("BPF program is too large. Processed 1000001 insn", 3, 1000001),
    "too-many-jumps": ("The sequence of 8193 jumps is too complex.", 32772, 32773),
    "unbounded-index": ("math between map_value pointer and register with unbounded min value is not allowed", 11, 11),
    "unbounded-size": ("R2 min value is negative, either use unsigned or 'var &= const'", 15, 16),
    "uninitialised-register": ("R7 !read_ok", 0, 1),
    "unknown-helper": ("invalid func unknown#4242", 0, 1),
    "unreachable": ("unreachable insn 1", 1, 0),
    "unreleased-reference": ("Unreleased reference id=2 alloc_insn=4", 9, 9),
    "wrong-argument": (
        "R2 type=scalar expected=fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_",
        5,
        5,
    ),
    "wrong-map": ("cannot pass map_type 1 into func bpf_ringbuf_query#134", 3, 3),
    "zero-size": ("R2 invalid zero-sized read: u64=[0,7]", 7, 8),
}


def read(name: str) -> Parsed:
    return parse((HERE / f"logs/6.18/{name}.txt").read_text())


@pytest.mark.parametrize("name", EXPECTED)
def test_complaint_instruction_and_count(name: str) -> None:
    parsed = read(name)
    assert (parsed.error, parsed.insn, parsed.processed) == EXPECTED[name]
    assert parsed.error_line is not None
    assert parsed.lines[parsed.error_line].endswith(parsed.error)


@pytest.mark.parametrize("name", [name for name, (_, insn, _) in EXPECTED.items() if insn is not None])
def test_the_instruction_leads_to_the_authors_line(name: str) -> None:
    table = {int(insn): line for insn, line in LINES[name].items()}
    insn = read(name).insn
    assert insn is not None
    line = line_for(table, insn)
    assert line is not None
    assert (HERE / f"programs/{name}.c").read_text().split("\n")[line - 1].endswith("// here")


@pytest.mark.parametrize("name", EXPECTED)
def test_the_marked_line_of_the_log_shows_the_instruction_or_else_the_complaint(name: str) -> None:
    parsed = read(name)
    assert parsed.log_line is not None
    if parsed.insn_text:
        assert parsed.lines[parsed.log_line].startswith(f"{parsed.insn}: (")
        assert not any(line.startswith(f"{parsed.insn}: (") for line in parsed.lines[parsed.log_line + 1 :])
    else:
        assert parsed.log_line == parsed.error_line


def test_only_checks_before_the_first_step_show_no_instruction() -> None:
    silent = {name for name in EXPECTED if not read(name).insn_text}
    assert silent == {"falls-off-the-end", "indirect-call", "jump-out-of-the-program", "unreachable"}


def test_the_refused_instruction_is_there_as_the_log_shows_it() -> None:
    parsed = read("null-map-value")
    assert parsed.insn_text == "8: (79) r1 = *(u64 *)(r0 +0)"


OLD = """\
0: R1=ctx(id=0,off=0,imm=0) R10=fp0
; int f(void *ctx) {
0: (b7) r6 = 0
; u64 *count = bpf_map_lookup_elem((void *)bpf_pseudo_fd(1, -1), &k);
1: (63) *(u32 *)(r10 -4) = r6
last_idx 1 first_idx 0
regs=40 stack=0 before 0: (b7) r6 = 0
2: R6_w=invP0 R10=fp0 fp-8=0000????
2: (85) call bpf_map_lookup_elem#1
3: R0_w=map_value_or_null(id=1,off=0,ks=4,vs=8,imm=0)
3: (79) r1 = *(u64 *)(r0 +0)
 R0=map_value_or_null(id=1,off=0,ks=4,vs=8,imm=0) R10=fp0
R0 invalid mem access 'map_value_or_null'
processed 4 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""


def test_a_log_of_an_old_kernel() -> None:
    parsed = parse(OLD)
    assert parsed.error == "R0 invalid mem access 'map_value_or_null'"
    assert (parsed.insn, parsed.log_line, parsed.processed) == (3, 10, 4)


def test_lines_end_as_they_like() -> None:
    assert parse(OLD.replace("\n", "\r\n")).error == parse(OLD).error


REPORTED = """\
func#0 @0
0: R1=ctx() R10=fp0
0: (b7) r2 = 1
1: (95) exit
R0 !read_ok

Verification failed: Register Type Safety: Unreadable register

Reason:
  R0 has never been initialized on this path, so the verifier cannot use
  it as an input.

At:
  f @ main.c:12:5
  Source context:
      10 | int f(void *ctx)
  >>> 12 |     exit();
             | ^-- error: R0 is not readable
  Instruction context:
      0 | (b7) r2 = 1
  >>> 1 | (95) exit

Causal path:
  no retained diagnostic events on this path

Suggestion:
  Initialize R0 on every path before this instruction.

processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""


def test_a_log_with_a_report() -> None:
    parsed = parse(REPORTED)
    assert (parsed.error, parsed.insn, parsed.log_line, parsed.processed) == ("R0 !read_ok", 1, 3, 2)
    assert parsed.report is not None
    assert parsed.report.title == "Register Type Safety: Unreadable register"
    assert (
        parsed.report.reason == "R0 has never been initialized on this path, so the verifier cannot use it as an input."
    )
    assert parsed.report.suggestion == "Initialize R0 on every path before this instruction."


def test_a_report_without_source_names_the_instruction_itself() -> None:
    unplaced = REPORTED.replace("f @ main.c:12:5", "insn 1").replace("  >>> 1 | (95) exit\n", "")
    assert parse(unplaced).insn == 1


def test_a_report_alone_gives_the_complaint() -> None:
    parsed = parse(REPORTED.replace("R0 !read_ok\n", ""))
    assert (parsed.error, parsed.error_line, parsed.insn) == ("Register Type Safety: Unreadable register", None, 1)


def test_a_report_is_read_only_after_the_last_instruction() -> None:
    assert parse(OLD).report is None


def test_what_loaders_write_around_the_log_is_left_out() -> None:
    wrapped = (
        "libbpf: prog 'f': BPF program load failed: Permission denied\n"
        "libbpf: prog 'f': -- BEGIN PROG LOAD LOG --\n"
        f"{OLD}-- END PROG LOAD LOG --\n"
        "libbpf: prog 'f': failed to load: -13\nError: failed to load object file\n"
    )
    parsed = parse(wrapped)
    assert (parsed.error, parsed.insn) == ("R0 invalid mem access 'map_value_or_null'", 3)
    hinted = OLD + "\nHINT: The 'map_value_or_null' error can happen if you dereference\na pointer.\n"
    assert parse("bpf: Failed to load program: Permission denied\n" + hinted).error == parsed.error


def test_talk_between_the_instruction_and_the_complaint_is_no_complaint() -> None:
    talk = "mark_precise: frame0: last_idx 3 first_idx 0 subseq_idx -1\nfrom 1 to 3: R0=0 R10=fp0\ncaller:\n R10=fp0\n"
    parsed = parse(OLD.replace("R0 invalid", talk + "R0 invalid"))
    assert parsed.error == "R0 invalid mem access 'map_value_or_null'"


def test_the_kernel_may_write_on_behind_a_jump() -> None:
    jump = "4: (2d) if r6 > r0 goto pc-2"
    for behind in ("3: R0=scalar() R10=fp0", "from 4 to 6: R0=1 R10=fp0", "; R0=scalar()"):
        assert parse(f"{jump} {behind}\nR6 !read_ok\nprocessed 5 insns\n").error == "R6 !read_ok"
    parsed = parse(f"3: (95) exit\n{jump} The sequence of 8193 jumps is too complex.\nprocessed 5 insns\n")
    assert (parsed.error, parsed.insn, parsed.error_line) == ("The sequence of 8193 jumps is too complex.", 4, 1)


def test_the_count_is_told_from_a_complaint_that_ends_without_a_newline() -> None:
    counted = "processed 3 insns (limit 1000000) max_states_per_insn 0\n"
    parsed = parse(f"3: (85) call bpf_tail_call#12\nexpected prog array map for tail call{counted}")
    assert (parsed.error, parsed.error_line) == ("expected prog array map for tail call", 1)
    assert (parsed.insn, parsed.processed, parsed.remarks) == (3, 3, (parsed.error,))
    below = parse(f"3: (85) call bpf_tail_call#12\nR1 is odd\nand more{counted}")
    assert (below.error, below.processed, below.remarks) == ("R1 is odd", 3, ("R1 is odd", "and more"))


def test_jumps_backwards_are_found_by_the_instruction_in_the_complaint() -> None:
    log = "7: ; for (;;)\n2: ; i++\nback-edge from insn 7 to 2\nprocessed 0 insns (limit 1000000)\n"
    parsed = parse(log)
    assert (parsed.error, parsed.insn, parsed.log_line) == ("back-edge from insn 7 to 2", 7, 2)


def test_a_log_cut_short_still_has_its_complaint() -> None:
    parsed = parse(OLD[: OLD.index("processed")])
    assert (parsed.error, parsed.insn, parsed.processed) == ("R0 invalid mem access 'map_value_or_null'", 3, None)


@pytest.mark.parametrize("log", ["", "\n\n", "0: R1=ctx() R10=fp0\n0: (95) exit\nprocessed 1 insns (limit 1000000)\n"])
def test_where_nothing_is_refused_there_is_no_complaint(log: str) -> None:
    parsed = parse(log)
    assert (parsed.error, parsed.error_line, parsed.insn, parsed.log_line) == ("", None, None, None)


def test_a_very_long_log() -> None:
    step = "; x += y; @ main.c:7\n%d: (0f) r1 += r2                     ; R1=scalar() R2=scalar()\n"
    log = "".join(step % (n % 5000) for n in range(200_000)) + OLD
    parsed = parse(log)
    assert parsed.error == "R0 invalid mem access 'map_value_or_null'"
    assert parsed.log_line == 400_010
