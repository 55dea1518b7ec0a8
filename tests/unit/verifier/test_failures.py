"""Files of logs, and files of anything: each failure is explained, and nothing raises."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ebpftop.verifier.diagnosis import Diagnosis
from ebpftop.verifier.failures import failures
from ebpftop.verifier.stream import CHUNK, HEAD, TAIL

HERE = Path(__file__).parent
SEEDS = [path.read_bytes() for folder in ("logs/6.18", "written") for path in sorted((HERE / folder).glob("*.txt"))]
SHORT = [seed for seed in SEEDS if len(seed) < 4_000]
NULL = (HERE / "logs/6.18/null-map-value.txt").read_text()
SIZE = (HERE / "logs/6.18/unbounded-size.txt").read_text()
OPCODE = (HERE / "logs/6.18/indirect-call.txt").read_text()
ACCEPTED = (
    "0: R1=ctx() R10=fp0\n0: (b7) r0 = 0\n1: (95) exit\nprocessed 2 insns (limit 1000000) max_states_per_insn 0\n"
)


def found(text: str | bytes) -> list[Diagnosis]:
    return list(failures(io.BytesIO(text.encode() if isinstance(text, str) else text)))


def kinds(text: str) -> list[str]:
    return [diagnosis.kind for diagnosis in found(text)]


def test_each_of_several_programs_is_explained() -> None:
    assert kinds(NULL + SIZE + OPCODE + NULL) == ["null_deref", "unbounded_access", "bad_instruction", "null_deref"]


def test_programs_that_were_accepted_are_passed_over() -> None:
    assert kinds(ACCEPTED + NULL + ACCEPTED) == ["null_deref"]
    (only,) = found(ACCEPTED + ACCEPTED)
    assert (only.kind, only.known) == ("none", False)
    assert "processed 2 instructions" in only.explanation


def test_logs_cut_short_are_told_apart_by_their_beginnings() -> None:
    assert kinds(NULL[: NULL.index("processed")] + SIZE) == ["null_deref", "unbounded_access"]


def test_names_of_several_programs() -> None:
    text = "".join(
        f"libbpf: prog '{name}': BPF program load failed: Permission denied\n"
        f"libbpf: prog '{name}': -- BEGIN PROG LOAD LOG --\n{log}-- END PROG LOAD LOG --\n"
        f"libbpf: prog '{name}': failed to load: -13\n"
        for name, log in (("first", NULL), ("second", OPCODE))
    )
    assert [(diagnosis.program, diagnosis.kind) for diagnosis in found(text)] == [
        ("first", "null_deref"),
        ("second", "bad_instruction"),
    ]


def test_a_summary_before_the_log_is_not_told_twice() -> None:
    summary = "8: (79) r1 = *(u64 *)(r0 +0): R0 invalid mem access 'map_value_or_null' (13 line(s) omitted)"
    log = "".join(f"\t{line}\n" for line in NULL.rstrip("\n").split("\n"))
    text = (
        f"program f: load program: permission denied: {summary}\nVerifier log: load program: permission denied:\n{log}"
    )
    (only,) = found(text)
    assert only.program == "f"
    assert [step.insn for step in only.chain] == [7, 8]


@pytest.mark.parametrize("text", ["", "\n", "hello\n" * 100, "\0" * 5_000, "\x7fELF\x02\x01\x01" + "\xff" * 100])
def test_a_file_without_a_log_says_so(text: str) -> None:
    (only,) = found(text)
    assert (only.kind, only.known, only.message) == ("none", False, "")


def test_of_a_long_log_the_end_is_explained() -> None:
    step = "; x += y; @ main.c:7\n%d: (0f) r1 += r2                     ; R1=scalar() R2=scalar()\n"
    begin = "libbpf: prog 'f': -- BEGIN PROG LOAD LOG --\n0: R1=ctx() R10=fp0\n0: (bf) r6 = r1\n"
    middle = "".join(step % (number % 5_000 + 1) for number in range(80_000))
    end = "5001: (79) r1 = *(u64 *)(r6 +0)\nR6 invalid mem access 'scalar'\nprocessed 80002 insns (limit 1000000)\n"
    assert len(middle) > HEAD + TAIL
    (only,) = found(begin + middle + end)
    assert (only.kind, only.insn, only.program) == ("invalid_mem_access", 5_001, "f")
    assert [step.why for step in only.chain] == [
        "R6 got its value before the beginning of this log",
        "rejected here",
    ]


def test_a_name_behind_a_log_is_that_logs_unless_another_begins() -> None:
    (named,) = found(NULL + "-- END LOG --\nlibbpf: failed to load program 'late'\n")
    assert (named.program, named.kind) == ("late", "null_deref")
    nameless, other = found(NULL + "libbpf: prog 'next': BPF program load failed: Permission denied\n" + SIZE)
    assert (nameless.program, other.program) == ("", "next")


def test_causes_that_quote_a_log_again_are_told_once() -> None:
    said = "R2 !read_ok\nprocessed 2 insns (limit 1000000) max_states_per_insn 0\n"
    head = "Error: the BPF_PROG_LOAD syscall failed. Verifier output: "
    assert kinds(f"{head}{said}\nCaused by:\n    0: {head[7:]}{said}\n") == ["uninitialised_reg"]


class Reading(io.BytesIO):
    """Counts what is asked of it."""

    given = 0

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        self.given += len(piece)
        return piece


def test_work_grows_with_the_log_and_not_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: how many lines are unwrapped and how many instructions decoded, for ever longer logs."""
    from ebpftop.verifier import diagnosis, failures, instruction, path

    counts: dict[str, int] = {}

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any, **named: Any) -> Any:
            counts[name] = counts.get(name, 0) + 1
            return function(*arguments, **named)

        return count

    def lines(given: list[str]) -> Any:
        counts["lines"] = counts.get("lines", 0) + len(given)
        return unwrap(given)

    unwrap = failures.unwrap
    monkeypatch.setattr(failures, "unwrap", lines)
    monkeypatch.setattr(path, "decode", counting("decoded", instruction.decode))
    monkeypatch.setattr(diagnosis, "diagnose", counting("diagnosed", diagnosis.diagnose))
    work: dict[int, tuple[int, int, int]] = {}
    for size in (1_000, 10_000, 100_000, 1_000_000):
        counts.clear()
        log = b"".join(b"%d: (07) r1 += 1\n" % (number % 4_000 + 1) for number in range(size))
        stream = Reading(b"0: R1=ctx() R10=fp0\n" + log + b"9: (79) r1 = *(u64 *)(r6 +0)\nR6 !read_ok\n")
        (_,) = failures.failures(stream)
        assert stream.given == len(stream.getvalue())
        work[size] = (counts["lines"], counts["decoded"], stream.given)
    assert work[1_000][:2] == (1_003, 1_000)
    assert work[10_000][:2] == (10_003, 10_000)
    for size in (100_000, 1_000_000):  # from here on what is looked at is bounded
        assert work[size][0] <= (HEAD + TAIL + CHUNK) / 15
        assert work[size][1] <= path.LOOK_BACK


# ---------------------------------------------------------------- anything at all

# The same examples each time: a test that fails for one person only helps nobody.
FUZZED = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def holds(diagnoses: list[Diagnosis]) -> None:
    assert diagnoses
    for diagnosis in diagnoses:
        assert diagnosis.failed == bool(diagnosis.message)
        assert diagnosis.explanation
        assert len(diagnosis.chain) <= 16
        assert all(step.why for step in diagnosis.chain)


@FUZZED
@given(st.binary(max_size=2_000))
@example(b"0: (")
@example(b"load program: x: \n" * 50)
@example(b"from 1 to 1: R1=1 R10=fp0\n1: (95) exit\n" * 20)
@example(b"callee:\nreturning from callee:\n0: (85) call pc-1\n" * 20 + b"R1 !read_ok\nprocessed 1 insns\n")
def test_any_bytes_are_explained_somehow(data: bytes) -> None:
    holds(found(data))


TOKENS = [
    b"0: R1=ctx() R10=fp0", b"1: (85) call bpf_ktime_get_ns#5 ; R0=scalar()", b"2: (0f) r1 += r0", b"3: (95) exit",
    b"from 2 to 3: R0=0 R1=scalar(umax=", b"caller:", b"callee:", b" frame1: R1=1 R10=fp0", b"returning from callee:",
    b"to caller at 9:", b"R1 invalid mem access 'scalar'", b"processed 3 insns (limit 1000000)", b"; x = f(y); @ a.c:3",
    b"-- BEGIN PROG LOAD LOG --", b"-- END PROG LOAD LOG --", b"Verification failed: A: B", b"At:", b"  insn 2",
    b"Causal path:", b"        | ^-- update: x", b"  >>> 2 | (0f) r1 += r0", b"Suggestion:",
    b"program f: load program: no: 3",
    b"2: (55) if r1 != 0x0 goto pc-2", b"3: (79) r1 = *(u64 *)(r10 -8)", b"4: (7b) *(u64 *)(r10 -8) = r1", b"\x1b[31m",
]  # fmt: skip


@FUZZED
@given(st.lists(st.sampled_from(TOKENS), max_size=60), st.sampled_from([b"\n", b"\r\n", b" ", b"\\n\\t"]))
def test_pieces_of_logs_in_any_order_are_explained_somehow(pieces: list[bytes], between: bytes) -> None:
    holds(found(between.join(pieces)))


@FUZZED
@given(st.sampled_from(SHORT), st.sampled_from(SHORT), st.randoms(use_true_random=False))
def test_real_logs_changed_anyhow_are_explained_somehow(one: bytes, other: bytes, chance: random.Random) -> None:
    data = bytearray(one)
    for _ in range(chance.randint(1, 8)):
        begin, length = chance.randrange(len(data) + 1), chance.choice([1, 3, 40, 400])
        piece = data[begin : begin + length]
        match chance.randrange(5):
            case 0:
                del data[begin : begin + length]
            case 1:
                data[begin:begin] = piece * chance.randint(1, 5)
            case 2:
                data[begin : begin + len(piece)] = chance.randbytes(len(piece))
            case 3:
                at = chance.randrange(len(other))
                data[begin:begin] = other[at : at + length]
            case _:
                data[begin : begin + len(piece)] = piece[::-1]
    holds(found(bytes(data)))


@pytest.mark.parametrize("seed", range(len(SHORT)))
def test_real_logs_cut_anywhere_are_explained_somehow(seed: int) -> None:
    data = SHORT[seed]
    for at in range(0, len(data), 37):
        holds(found(data[:at]))
        holds(found(data[at:]))


@pytest.mark.parametrize(
    "line",
    [
        b"(" * 400_000,
        b"R1=(" * 100_000,
        b"R1=a=" * 100_000,
        b"; " + b" @ a" * 100_000,
        b"load program: " * 30_000,
        b"from 1 to 2: " * 30_000,
        b"0: (b7) " * 50_000,
        b"\x1b[" * 200_000,
        b"\x1b]" * 200_000,
        b"level=" + b"x" * 400_000 + b'msg="',
        b'level=x msg="' + b"\\" * 400_000,
        b"\\n0: (b7) " * 50_000,
        b"Nov 21 10:41:53 " * 30_000,
        b">" * 400_000,
        b"processed " * 40_000,
        b"| ^-- a: " * 50_000,
        b" " * 400_000,
        b"; " + b" " * 400_000,
        b"Verification failed: A\nAt:\n" + b" @ a" * 100_000,
        b"; " + b"a" * 400_000,
        b"9" * 400_000 + b": (b7) r0 = 0",
        b"9" * 5_000 + b": (b7) r0 = 0",
        b"processed " + b"9" * 5_000 + b" insns",
        b"from " + b"9" * 5_000 + b" to 3",
        b"unreachable insn " + b"9" * 5_000,
        b"Verification failed: A\nAt:\n  insn " + b"9" * 5_000,
        b"Verification failed: A\nAt:\n  a.c:" + b"9" * 5_000 + b":1",
        b"0: R" + b"9" * 5_000 + b"=1 fp-" + b"9" * 5_000 + b"=1",
        b"0: R1=007 R2=-0x R3=0x7 R10=fp007",
        b"; x @ a.c:" + b"9" * 5_000,
        b"0: (79) r0 = *(u64 *)(r1 +" + b"9" * 5_000 + b")",
        b"0: (b7) r0 = " + b"9" * 400_000,
        b"0: R1=scalar(umax=" + b"9" * 400_000 + b") R10=fp0",
    ],
    ids=lambda line: line[:16].decode(),
)
def test_lines_made_to_take_long_are_explained_somehow(line: bytes) -> None:
    """Python takes no number of more than 4,300 digits, and a line of them must not end it."""
    holds(found(line))
    holds(found(b"0: R1=ctx() R10=fp0\n0: (b7) r1 = 0\n" + line + b"\n1: (79) r0 = *(u64 *)(r1 +0)\nR1 !read_ok\n"))
    holds(found((line[:500] + b"\n") * 500 + b"1: (79) r0 = *(u64 *)(r1 +0)\nR1 !read_ok\nprocessed 1 insns (\n"))
