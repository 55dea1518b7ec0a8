import pytest

from ebpftop.verifier.wrapping import LONGEST, unwrap

INSN = "8: (79) r1 = *(u64 *)(r0 +0)"
SAID = "R0 invalid mem access 'map_value_or_null'"


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "[    0.555453] ",
        "[93325.1] BPF: ",
        "<4>[   12.000001] ",
        "[ 1234.567890][ T4242] ",
        "[Tue Sep  5 10:53:29 2023] BPF: ",
        "Apr 01 10:41:53 localhost.localdomain tracer[10491]: ",
        "Nov  9 10:41:53 host kernel: [  99.123456] BPF: ",
        "2026-11-21T16:40:43+0000 host tracer[77]: ",
        "2026-11-21T16:40:43.123456+01:00 host kernel: ",
        "2024/05/01 12:00:00 ",
        "> ",
        "> > ",
        "libbpf: ",
        "\x1b[31m",
        "\x1b]0;title\x07",
    ],
)
@pytest.mark.parametrize("text", [INSN, SAID, "; *count += 1; @ main.c:8", "from 3 to 8: R0=1 R10=fp0"])
def test_what_stands_before_a_line_is_taken_off(prefix: str, text: str) -> None:
    assert unwrap([f"{prefix}{text}\r\n"]) == [text]


@pytest.mark.parametrize(
    "line",
    [
        INSN,
        "2024: (b7) r0 = 0",
        ">>> 8 | (79) r1 = *(u64 *)(r0 +0)",
        "libbpf: prog 'f': BPF program load failed: Permission denied",
        "[13] STRUCT drm_rect size=16 vlen=4",
        "\t8: (79) r1 = *(u64 *)(r0 +0)",
        '; char *s = "a\\nb";',
        "",
    ],
)
def test_a_kernels_own_line_stays(line: str) -> None:
    assert unwrap([line]) == [line]


def test_logfmt() -> None:
    line = 'level=warning msg="; printk(\\"%d\\\\n\\");" subsys=datapath-loader'
    assert unwrap([line]) == ['; printk("%d\\n");']
    assert unwrap(['time="2026-11-21" level=info msg="0: (bf) r6 = r1"']) == ["0: (bf) r6 = r1"]


def test_a_summary_of_go_becomes_the_lines_it_was_made_of() -> None:
    line = f"loading: program f: load program: permission denied: {INSN}: {SAID} (646 lines omitted)"
    assert unwrap([line]) == ["loading: program f: load program: permission denied:", INSN, SAID]
    said = "invalid access to map value, value_size=16 off=28 size=4"
    assert unwrap([f"load program: invalid argument: {said} (truncated, 3 line(s) omitted)"]) == [
        "load program: invalid argument:",
        said,
    ]


def test_a_whole_log_in_one_line_of_json() -> None:
    line = f'{{"error":"program f: load program: permission denied:\\n\\t0: R1=ctx() R10=fp0\\n\\t{INSN}\\n\\t{SAID}"}}'
    assert unwrap([line]) == [
        '{"error":"program f: load program: permission denied:',
        "\t0: R1=ctx() R10=fp0",
        f"\t{INSN}",
        f"\t{SAID}",
    ]


def test_a_log_behind_words_of_rust() -> None:
    line = "Error: the BPF_PROG_LOAD syscall failed. Verifier output: 0: R1=ctx() R10=fp0"
    assert unwrap([line]) == [line.removesuffix("0: R1=ctx() R10=fp0"), "0: R1=ctx() R10=fp0"]


def test_long_lines_are_cut_and_zero_bytes_left_out() -> None:
    assert unwrap(["x" * 1_000_000]) == ["x" * LONGEST]
    assert unwrap(["8: \0(79) exit\0"]) == ["8: (79) exit"]
