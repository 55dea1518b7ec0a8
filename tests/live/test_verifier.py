"""The author's line numbers through a real compiler, BCC's rewriter and the running kernel's verifier."""

import re
from pathlib import Path

import pytest

from ebpftop.catalog.numbering import mark
from ebpftop.loader.listing import lines_of
from ebpftop.verifier import compiler, lines, log
from tests.support.bcc_child import compile_and_load

pytestmark = pytest.mark.bpf

SPLICED = 100_000
FRONT = mark(
    "BPF_ARRAY(seen, u64, 1);\nstatic inline int spliced(u64 v)\n{\n    return v > bpf_get_prandom_u32();\n}\n", SPLICED
)

THREE_ERRORS = """\
/* the errors stand
   in lines 11, 17 and 20 */
BPF_HASH(counts, u32,
         u64);

#define TWICE(x) \\
    ((x) * \\
     2)

int f(void *ctx) {
    u32 pid = unknown_one;
    u64 zero = 0, *count = counts.lookup_or_try_init(
        &pid,
        &zero
    );
    if (count)
        *count = TWICE(unknown_two);

    bpf_trace_printk("%d",
                     unknown_three);
    return 0;
}
"""

NULL_AFTER_MUCH = """\
/* comments { in
   the way; */
BPF_HASH(counts, u32,
         u64);
#define SET(p, v) do { \\
        *(p) = (v);    \\
    } while (0)

static inline u64
half(u64 v)
{
    return v / 2;
}

int f(struct bpf_raw_tracepoint_args *ctx)
{
    u32 pid =
        bpf_get_current_pid_tgid() >> 32;

    /* lookup; { */
    u64 zero = 0, *count = counts.lookup_or_try_init(
        &pid,
        &zero
    );
    if (!count || spliced(pid))
        return 0;
    SET(count,
        half(*count));

    u64 *other = counts.lookup(&pid);
    if (pid > 5) {
        // nothing; }
        *other = half(
            pid); // here
    }
    return 0;
}
"""


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_clang_reports_the_authors_lines(ends: str) -> None:
    result = compile_and_load(FRONT + mark(THREE_ERRORS.replace("\n", ends)))
    assert result.errno is None
    errors = [(message.line, message.text) for message in compiler.parse(result.output) if message.severity == "error"]
    assert errors == [
        (11, "use of undeclared identifier 'unknown_one'"),
        (17, "use of undeclared identifier 'unknown_two'"),
        (20, "use of undeclared identifier 'unknown_three'"),
    ]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_refused_instruction_leads_to_the_authors_statement(ends: str) -> None:
    result = compile_and_load(FRONT + mark(NULL_AFTER_MUCH.replace("\n", ends)))
    parsed = log.parse(result.log)
    assert parsed.error == "R0 invalid mem access 'map_value_or_null'"
    assert parsed.insn is not None
    table = lines_of(result.output)["f"]
    at = NULL_AFTER_MUCH.split("\n").index("            pid); // here")
    assert lines.line_for(table, parsed.insn) == at  # the statement's first line, one above
    assert max(table.values()) == NULL_AFTER_MUCH.count("\n")  # spliced code counts to the author's line before it


def test_an_endless_loop_has_its_line_although_the_kernel_names_none() -> None:
    text = (Path(__file__).parents[1] / "unit/verifier/programs/loop-without-progress.c").read_text()
    result = compile_and_load(mark(text))
    parsed = log.parse(result.log)
    assert parsed.error.startswith("infinite loop detected")
    assert parsed.insn is not None
    table = lines_of(result.output)["f"]
    assert lines.line_for(table, parsed.insn) == 3
    assert "; while (same != 7) // here @ a.c:3" in lines.quote(result.log, lines.quotes(table, text, "a.c")).split(
        "\n"
    )


def test_a_stack_too_large_is_reported_though_it_ends_the_process() -> None:
    text = 'int f(void *ctx) {\n    char b[600] = {};\n    bpf_trace_printk("%s", b);\n    return 0;\n}\n'
    result = compile_and_load(mark(text))
    (message,) = compiler.parse(result.output)
    assert result.errno is None
    assert (message.severity, message.function) == ("error", "f")
    assert "BPF stack limit" in message.text


def test_marking_changes_no_instruction() -> None:
    fixed = NULL_AFTER_MUCH.replace("if (pid > 5) {", "if (other && pid > 5) {").replace(" || spliced(pid)", "")
    marked, plain = compile_and_load(mark(fixed)), compile_and_load(fixed)
    assert marked.errno == plain.errno == 0
    instructions = [re.findall(r"^ *\d+:\t.*", result.output, re.MULTILINE) for result in (marked, plain)]
    assert instructions[0] == instructions[1]
    assert len(instructions[0]) > 20
