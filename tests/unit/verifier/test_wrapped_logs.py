"""The same log in every wrapping, and without its beginning, its end or its instructions: the same explanation."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ebpftop.verifier.diagnosis import Diagnosis, diagnose
from ebpftop.verifier.wrapping import unwrap

HERE = Path(__file__).parent
REAL = sorted(path.stem for path in (HERE / "logs/6.18").glob("*.txt"))


def explained(text: str) -> Diagnosis:
    diagnosis = diagnose(unwrap(text.split("\n")))
    assert diagnosis is not None
    return diagnosis


def real(name: str) -> str:
    return (HERE / f"logs/6.18/{name}.txt").read_text()


def written(name: str) -> str:
    return (HERE / f"written/{name}.txt").read_text()


def each_line(prefix: str) -> Callable[[str], str]:
    return lambda log: "".join(f"{prefix}{line}\n" for line in log.rstrip("\n").split("\n"))


def logfmt(log: str) -> str:
    return "".join(
        'level=warning msg="{}" subsys=loader\n'.format(line.replace("\\", "\\\\").replace('"', '\\"'))
        for line in log.split("\n")
    )


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "bcc": lambda log: f"bpf: Failed to load program: Permission denied\n{log}\nHINT: The 'x' error can happen if\n",
    "libbpf": lambda log: (
        "libbpf: prog 'f': BPF program load failed: Permission denied\nlibbpf: prog 'f': -- BEGIN PROG LOAD LOG --\n"
        f"{log}-- END PROG LOAD LOG --\nlibbpf: prog 'f': failed to load: -13\nlibbpf: failed to load object 'f.o'\n"
    ),
    "bpftool": lambda log: (
        "libbpf: prog 'f': BPF program load failed: Permission denied\nlibbpf: prog 'f': -- BEGIN PROG LOAD LOG --\n"
        f"{log}-- END PROG LOAD LOG --\nlibbpf: prog 'f': failed to load: -13\nError: failed to load object file\n"
    ),
    "cilium": lambda log: f"program f: load program: permission denied:\n{each_line(chr(9))(log)}",
    "cilium, its end": lambda log: (
        f"loading: program f: load program: permission denied:\n\t(3 line(s) omitted)\n{each_line(chr(9))(log)}"
    ),
    "go's json": lambda log: (
        '{"level":"error","error":"program f: load program: permission denied:\\n\\t'
        + log.rstrip("\n").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n\\t")
        + '","caller":"main.go:7"}\n'
    ),
    "aya": lambda log: (
        f"Error: the BPF_PROG_LOAD syscall returned Permission denied. Verifier output: {log}\n\nCaused by:\n    13\n"
    ),
    "bpftrace": lambda log: f"ERROR: Error loading BPF program for kprobe_f_1.\nKernel error log:\n{log}\nExiting.\n",
    "iproute2": lambda log: (
        "\nProg section 'f' rejected: Permission denied (13)!\n - Type:         3\n - Instructions: 9 (0 over limit)\n"
        f" - License:      GPL\n\nVerifier analysis:\n\n{log}\nError fetching program/map!\n"
    ),
    "journald": each_line("Nov 21 10:41:53 localhost tracer[10491]: "),
    "syslog": each_line("2026-11-21T10:41:53.123456+01:00 localhost tracer[10491]: "),
    "dmesg": each_line("[   12.345678] BPF: "),
    "a mail": each_line("> "),
    "logfmt": logfmt,
    "colours": lambda log: each_line("\x1b[2m")(log).replace("\n", "\x1b[0m\n"),
    "windows": lambda log: log.replace("\n", "\r\n"),
    "no end": lambda log: log[: log.index("\nprocessed ")],
}


@pytest.mark.parametrize(
    "name", ["null-map-value", "index-negative", "unreleased-reference", "unreachable", "zero-size"]
)
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_wrapping_changes_nothing(wrapping: str, name: str) -> None:
    plain, wrapped = explained(real(name)), explained(WRAPPINGS[wrapping](real(name)))
    assert (wrapped.kind, wrapped.message, wrapped.insn) == (plain.kind, plain.message, plain.insn)
    assert (wrapped.chain, wrapped.registers, wrapped.source) == (plain.chain, plain.registers, plain.source)


@pytest.mark.parametrize("name", ["copy-checked-5.15", "branches-level-2", "function-returns-null"])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_wrapping_changes_nothing_at_other_log_levels(wrapping: str, name: str) -> None:
    plain, wrapped = explained(written(name)), explained(WRAPPINGS[wrapping](written(name)))
    assert (wrapped.kind, wrapped.message, wrapped.insn) == (plain.kind, plain.message, plain.insn)
    assert (wrapped.chain, wrapped.registers, wrapped.source) == (plain.chain, plain.registers, plain.source)


@pytest.mark.parametrize("wrapping", ["libbpf", "bpftool", "cilium", "cilium, its end", "go's json"])
def test_a_loader_tells_the_programs_name(wrapping: str) -> None:
    assert explained(WRAPPINGS[wrapping](real("null-map-value"))).program == "f"


# That the pointer is NULL is told only by the state before.
WITHOUT_STATE = [("iterator-element-unchecked", "invalid_mem_access")]
SHOWN = [name for name in REAL if f"{explained(real(name)).insn}: (" in real(name)]


@pytest.mark.parametrize("name", SHOWN)
def test_a_log_without_its_beginning_keeps_its_complaint(name: str) -> None:
    """Kernels from 6.4 on keep the end of what doesn't fit into the loader's buffer, and cut within a line."""
    whole = explained(real(name))
    at = real(name).rindex(f"\n{whole.insn}: (") if f"\n{whole.insn}: (" in real(name) else 0
    for cut in range(0, at, 41):
        diagnosis = explained(real(name)[cut:])
        assert (diagnosis.message, diagnosis.insn) == (whole.message, whole.insn)
        assert diagnosis.kind == whole.kind or (name, diagnosis.kind) in WITHOUT_STATE


@pytest.mark.parametrize("name", SHOWN)
def test_a_log_without_its_end_says_so(name: str) -> None:
    """Kernels before 6.4 keep the beginning."""
    lines = real(name).split("\n")
    shown = max(number for number, line in enumerate(lines) if line[:1].isdigit() and "goto" not in line)
    diagnosis = explained("\n".join(lines[: shown + 1]))
    assert (diagnosis.kind, diagnosis.known) == ("none", False)
    assert "without an error message" in diagnosis.explanation or "before its first" in diagnosis.explanation


@pytest.mark.parametrize("name", SHOWN)
def test_log_level_4_tells_the_complaint_alone(name: str) -> None:
    """BPF_LOG_STATS: no instruction and no state, but what was refused and how much was looked at."""
    whole = explained(real(name))
    said = [line for line in real(name).split("\n") if not line[:1].isdigit() and line[:1] != ";"]
    diagnosis = explained("\n".join(["verification time 51 usec", *said]))
    if whole.message in said:  # and not behind a jump, where it goes with it
        assert (diagnosis.message, diagnosis.known, diagnosis.chain) == (whole.message, True, [])
