"""The report of kernels from 7.3 on, as kernel/bpf/diagnostics.c formats it."""

from ebpftop.verifier.report import Event, read

PLACED = """\
Verification failed: Register Type Safety: Invalid dereference

Reason:
  R0 may be NULL here (a nullable map value pointer). The program could dereference NULL on this
  path, so the verifier cannot prove this access is safe.

At:
  f @ count.bpf.c:12:5
  Source context:
    10 | u64 *count = bpf_map_lookup_elem(&counts, &pid);
    11 | ...
  >>> 12 |     *count += 1;
              | ^-- error: invalid dereference of R0 (a nullable map value
              |     pointer)
    13 |     return 0;
    14 | ...
  Instruction context:
      6 | (85) call bpf_map_lookup_elem#1
  >>> 8 | (79) r1 = *(u64 *)(r0 +0)
      9 | (07) r1 += 1

Causal path:
  f @ count.bpf.c:10:18
  Source context:
  >>> 10 | u64 *count = bpf_map_lookup_elem(&counts, &pid);
             | ^-- update: R0 changed from uninitialized value to nullable map value from counts at offset 0
  Instruction context:
  >>> 6 | (85) call bpf_map_lookup_elem#1
  insn 7
        | ^-- branch: condition is false
  Instruction context:
  >>> 7 | (15) if r1 == 0x0 goto pc+2

Suggestion:
  Add a NULL check before the access and dereference the pointer only on the non-NULL path.
"""
LINES = PLACED.splitlines()


def test_all_parts_of_a_report() -> None:
    report = read(LINES)
    assert report is not None
    assert (report.category, report.problem) == ("Register Type Safety", "Invalid dereference")
    assert report.title == "Register Type Safety: Invalid dereference"
    assert report.reason.endswith(
        "The program could dereference NULL on this path, so the verifier cannot prove this access is safe."
    )
    assert report.suggestion.startswith("Add a NULL check")
    assert report.at == Event(
        insn=8,
        text="(79) r1 = *(u64 *)(r0 +0)",
        file="count.bpf.c",
        line=12,
        source="*count += 1;",
        said="error: invalid dereference of R0 (a nullable map value pointer)",
    )


def test_what_led_there() -> None:
    report = read(LINES)
    assert report is not None
    first, second = report.path
    assert (first.insn, first.line, first.source) == (6, 10, "u64 *count = bpf_map_lookup_elem(&counts, &pid);")
    assert first.said.startswith("update: R0 changed from uninitialized value to nullable map value from counts")
    assert (second.insn, second.line, second.said) == (7, None, "branch: condition is false")


def test_an_active_lock_is_part_of_what_led_there() -> None:
    lines = [
        "Verification failed: Resource Lifetime Safety: Lock still held",
        "",
        "Active lock:",
        "  insn 3",
        "        | ^-- acquired: active bpf_spin_lock has verifier identity 2",
    ]
    report = read(lines)
    assert report is not None
    assert [(event.insn, event.said) for event in report.path] == [
        (3, "acquired: active bpf_spin_lock has verifier identity 2")
    ]


def test_a_report_cut_short_keeps_what_is_there() -> None:
    for end in range(len(LINES)):
        report = read(LINES[:end])
        assert (report is None) == (end == 0)
    alone = read(["Verification failed: Policy"])
    assert alone is not None
    assert (alone.title, alone.problem, alone.reason, alone.at, alone.path) == ("Policy", "", "", None, ())


def test_a_path_without_events_is_empty() -> None:
    report = read(["Verification failed: A: B", "Causal path:", "  no retained diagnostic events on this path"])
    assert report is not None
    assert report.path == ()


def test_other_lines_are_no_report() -> None:
    assert read(["R0 !read_ok"]) is None
    assert read([]) is None
