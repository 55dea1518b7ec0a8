"""What each outcome of a load is explained as."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ebpftop.frames.messages import Failed, Tried
from ebpftop.handover.protocol import TaskEnded
from ebpftop.model.failure import Failure, explain, of_log
from ebpftop.verifier.diagnosis import Diagnosis
from ebpftop.verifier.source import Place
from tests.support import frames

ID = "my/probe"
FILE = "my/probe/probe.bpf.c"
C = """\
#include "ebpftop.h"
BPF_HASH(counts, u32, u64);

int on_enter(struct bpf_raw_tracepoint_args *ctx)
{
    u32 pid = 1;
    u64 *count = counts.lookup(&pid);
    add_one(count);\r
    *count += 1;
    return 0;
}
"""
HEADER = """\
#pragma once
static inline void add_one(u64 *count)
{
    *count += 1;
}
"""
SEE_OUTPUT = "The C does not compile, so the verifier never saw it. The compiler's whole output is below."
ENDED = "This says nothing about the program. The output of the compiler and the loader so far is below."
STACK = "Looks like the BPF stack limit of 512 bytes is exceeded. Please move large on stack variables into BPF map."
LLVM_ENDED = "the loader exited with status 1"

# As the kernel writes it, which quotes BCC's rewritten text.
CALL = """\
0: R1=ctx() R10=fp0
; u64 *count = bpf_map_lookup_elem((void *)bpf_pseudo_fd(1, -1), &pid); @ main.c:7
7: (85) call bpf_map_lookup_elem#1    ; R0=map_value_or_null(id=1,map=counts,ks=4,vs=8)
"""
LOAD = """\
; *count += 1; @ main.c:9
8: (79) r1 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
"""
COMPLAINT = "R0 invalid mem access 'map_value_or_null'"


def compiled(log: str, **changes: Any) -> Failure:
    failed = Failed(stage="compile", error="the C does not compile", variant="raw", text=C, log=log)
    return explain(ID, msgspec.structs.replace(failed, **changes))


def rejected(log: str, places: list[tuple[int, int, int]], **changes: Any) -> Failure:
    failed = Failed(
        stage="verify",
        error="the kernel rejected the program: Permission denied",
        variant="raw",
        function="on_enter",
        text=C,
        log=log,
        places=places,
        headers={"ebpftop.h": HEADER},
    )
    return explain(ID, msgspec.structs.replace(failed, **changes))


# ---------------------------------------------------------------- the compiler


def test_a_compile_error_at_the_authors_line() -> None:
    log = (
        "/virtual/main.c:6:9: warning: unused variable 'pid'\n"
        "/virtual/main.c:8:5: error: implicit declaration of function 'add_one' is invalid in C99\n"
        "/virtual/main.c:9:6: error: another\n"
    )
    failure = compiled(log)
    assert failure.message == "implicit declaration of function 'add_one' is invalid in C99"
    assert failure.source == failure.diagnosis.source == Place(FILE, 8, "    add_one(count);")
    assert (failure.stage, failure.variant, failure.text, failure.log) == ("compile", "raw", C, log)
    assert (failure.diagnosis.kind, failure.diagnosis.explanation) == ("compile", SEE_OUTPUT)
    assert failure.result == "did not compile"
    assert failure.headline == f"my/probe: did not compile: {failure.message}"


@pytest.mark.parametrize(
    ("place", "headers"),
    [
        ("/virtual/main.c:100004:6", {"ebpftop.h": HEADER}),  # numbered behind the author's lines
        ("/virtual/main.c:100004:6", {}),  # as a compile error reports it
        ("/tmp/kernel/include/linux/bpf.h:4:6", {}),
        ("/virtual/include/bcc/helpers.h:4:6", {}),
    ],
)
def test_a_compile_error_in_a_header_is_at_no_line_of_the_author(place: str, headers: dict[str, str]) -> None:
    failure = compiled(f"{place}: error: unknown type name 'u65'\n", headers=headers)
    assert failure.message == "unknown type name 'u65'"
    assert failure.source is None


def test_a_compile_error_behind_the_authors_last_line_is_at_none() -> None:
    assert compiled(f"/virtual/main.c:{C.count(chr(10)) + 2}:1: error: expected '}}'\n").source is None


def test_a_stack_too_large_is_at_the_beginning_of_its_function() -> None:
    failure = compiled(f"error: <unknown>:0:0: in function on_enter i32 (ptr): {STACK}\n\n")
    assert failure.message == STACK
    assert failure.source == Place(FILE, 4, "int on_enter(struct bpf_raw_tracepoint_args *ctx)")
    assert "512 bytes of stack" in failure.diagnosis.explanation
    assert compiled(f"error: /virtual/main.c:7:2: in function on_enter i32 (ptr): {STACK}\n").source == Place(
        FILE, 7, "    u64 *count = counts.lookup(&pid);"
    )
    assert compiled(f"error: <unknown>:0:0: in function elsewhere i32 (ptr): {STACK}\n").source is None


def test_output_without_an_error_says_what_the_loader_reported() -> None:
    failure = compiled("1 warning generated.\n")
    assert (failure.message, failure.diagnosis.explanation) == ("the C does not compile", SEE_OUTPUT)
    assert failure.source is None
    silent = compiled(" \n")
    assert (silent.message, silent.diagnosis.explanation) == ("the C does not compile", "")


@pytest.mark.parametrize("stage", ["types", "compile"])
def test_llvm_ended_the_loader_as_it_compiled(stage: str) -> None:
    said = f"error: <unknown>:0:0: in function on_enter i32 (ptr): {STACK}\n"
    outcome = TaskEnded(run=1, error=LLVM_ENDED, output=said).outcome(stage, C)
    failure = explain(ID, outcome)
    assert (failure.stage, failure.message, failure.variant) == ("compile", STACK, None)
    assert failure.source == Place(FILE, 4, "int on_enter(struct bpf_raw_tracepoint_args *ctx)")
    assert failure.log == said


def test_the_loader_ended_later() -> None:
    outcome = TaskEnded(run=1, error="the loader was killed by SIGSEGV", output="free(): invalid\n").outcome(
        "verify", C
    )
    failure = explain(ID, outcome)
    assert failure.headline == "my/probe: could not be loaded: the loader was killed by SIGSEGV"
    assert (failure.diagnosis.kind, failure.diagnosis.explanation) == ("load", ENDED)
    assert (failure.source, failure.text, failure.log) == (None, C, "free(): invalid\n")


def test_llvm_ended_the_loader_later() -> None:
    outcome = TaskEnded(run=1, error=LLVM_ENDED, output="LLVM ERROR: Cannot select: x\n").outcome("attach", C)
    failure = explain(ID, outcome)
    assert failure.headline == "my/probe: could not be loaded: Cannot select: x"


# ---------------------------------------------------------------- neither compiler nor verifier


def test_a_misfit_and_what_could_not_attach_are_as_reported() -> None:
    error = "my/probe/probe.toml:9: views[0].by: no field 'pid'"
    failure = explain(ID, Failed(stage="fit", error=error, variant="raw", text=C))
    assert failure.headline == f"my/probe: doesn't fit its manifest: {error}"
    assert failure.diagnosis == Diagnosis("fit", error, None, None, "", None, known=False)
    assert (failure.source, failure.text, failure.log) == (None, C, "")

    error = "its maps may need 300 MiB; the limit is 256 MiB"
    failure = explain(ID, Failed(stage="limit", error=error, variant="raw", text=C))
    assert failure.headline == f"my/probe: over a limit: {error}"
    assert failure.diagnosis.kind == "limit"

    tried = [Tried(variant="fentry", reason="no fentry here"), Tried(variant="kprobe", reason="no kprobes here")]
    both = "fentry: no fentry here; kprobe: no kprobes here"
    failure = explain(ID, Failed(stage="attach", error=both, tried=tried))
    assert failure.headline == f"my/probe: could not attach: {both}"
    assert failure.diagnosis.kind == "attach"
    assert failure.tried == tuple(tried)


# ---------------------------------------------------------------- the verifier


def test_a_rejection_at_the_authors_line() -> None:
    tried = [Tried(variant="fentry", reason="no fentry here"), Tried(variant="raw", reason="the kernel rejected it")]
    failure = rejected(CALL + LOAD, [(0, 0, 6), (4, 0, 7), (8, 0, 9)], tried=tried)
    assert failure.message == COMPLAINT
    assert failure.source == Place(FILE, 9, "    *count += 1;")
    assert (failure.diagnosis.kind, failure.diagnosis.insn) == ("null_deref", 8)
    assert "`count` may be NULL here" in failure.diagnosis.explanation
    assert failure.lines == ((0, 6), (4, 7), (8, 9))
    assert failure.function == "on_enter"
    assert failure.log == (
        "0: R1=ctx() R10=fp0\n"
        f"; u64 *count = counts.lookup(&pid); @ {FILE}:7\n"
        "7: (85) call bpf_map_lookup_elem#1    ; R0=map_value_or_null(id=1,map=counts,ks=4,vs=8)\n"
        f"; *count += 1; @ {FILE}:9\n"
        "8: (79) r1 = *(u64 *)(r0 +0)\n"
        f"{COMPLAINT}\n"
    )
    steps = [(step.insn, step.place) for step in failure.diagnosis.chain]
    assert steps == [
        (7, Place(FILE, 7, "u64 *count = counts.lookup(&pid);")),
        (8, Place(FILE, 9, "*count += 1;")),
    ]
    assert failure.tried == (tried[0], Tried(variant="raw", reason=COMPLAINT))


def test_a_rejection_in_a_header_is_at_the_authors_line_that_calls_it() -> None:
    failure = rejected(CALL + LOAD, [(0, 0, 6), (4, 0, 7), (8, 1, 4)])
    assert failure.source == Place(FILE, 8, "    add_one(count);")
    assert failure.lines == ((0, 6), (4, 7), (8, 8))
    assert "; *count += 1; @ ebpftop.h:4\n8: (79)" in failure.log
    assert failure.diagnosis.source == Place("ebpftop.h", 4, "*count += 1;")


def test_a_rejection_on_an_old_tape_has_its_log_quoted() -> None:
    log = CALL.replace("main.c:7", f"{FILE}:7") + LOAD.replace("main.c:9", f"{FILE}:9")
    frame = frames.rejected(1, ID, text=C, log=log, places=[], headers={}, function=None)
    failure = explain(ID, frame)
    assert failure.log == log
    assert failure.message == COMPLAINT
    assert failure.source == Place(FILE, 9, "*count += 1;")
    assert failure.lines == ()
    assert len(failure.diagnosis.chain) == 2


@pytest.mark.parametrize(
    "log",
    [
        "",
        "0: R1=ctx() R10=fp0\n0: (b7) r0 = 0\n",
        "0: R1=ctx() R10=fp0\n0: (b7) r0 = 0\n1: (95) exit\nprocessed 2 insns (limit 1000000) max_states_per_insn 0\n",
    ],
)
def test_a_log_without_a_complaint_says_what_the_kernel_returned(log: str) -> None:
    failure = rejected(log, [(0, 0, 6)])
    error = "the kernel rejected the program: Permission denied"
    assert failure.headline == f"my/probe: rejected by the verifier: {error}"
    assert failure.diagnosis == Diagnosis("unknown", error, None, None, "", None, known=False)
    assert failure.source is None


def test_a_complaint_that_no_rule_knows_is_shown_as_it_is() -> None:
    failure = rejected(CALL + LOAD.replace(COMPLAINT, "R0 frobnicates the gizmo"), [(0, 0, 6), (8, 0, 9)])
    assert failure.message == "R0 frobnicates the gizmo"
    assert failure.diagnosis.kind == "unknown"
    assert failure.source == Place(FILE, 9, "    *count += 1;")


def test_a_line_that_the_text_has_not_is_none_of_its_lines() -> None:
    """On a tape made by hand: the line above it is shown."""
    failure = rejected(CALL + LOAD, [(0, 0, 6), (8, 0, 900)])
    assert failure.message == COMPLAINT
    assert failure.source == Place(FILE, 6, "u32 pid = 1;")


def test_a_log_from_elsewhere_is_of_no_probe() -> None:
    diagnosis = Diagnosis("null_deref", COMPLAINT, 8, Place("a.c", 3, "*count += 1;"), "It may be NULL.", None)
    failure = of_log(diagnosis)
    assert (failure.probe, failure.stage, failure.result, failure.source) == ("", None, "", diagnosis.source)
