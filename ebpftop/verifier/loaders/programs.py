"""Recognises programs that could not be loaded, by the error of the call."""

from __future__ import annotations

from dataclasses import replace

from ebpftop.verifier.loaders.meaning import Meaning
from ebpftop.verifier.rules.model import compiled

_FORM = r"""(?ix).*?(?:
      \bload(?:ing)?\ failed | \b(?:to\ )?load(?:ing)?\ (?:the\ |e?bpf\ )*prog(?:ram)? | _probe_loading\(\)
    | \bBPF_PROG_LOAD\b | \bbpf_load_program\(\) | \bbpf_prog_load\w*\b
    | \bfailed\ to\ load:\ | \bProg\ section\ '.*'\ rejected
    | \bload\ bpf\ program\ failed | \bprogram\ failed\ to\ load
    | \bverif(?:y|ier|ication)\b.{0,20}\b(?:failed|rejected)\b
    | \bfailed\ to\ (?:load|verify)\ (?:and\ \w+\ )?['"`]?\w+['"`]?:
    )"""
_BUFFER = (
    r"(?i).*?(?:log buffer (?:is )?(?:not big enough|too small)"
    r"|log (?:was |is )?(?:too (?:large|big)|truncated) .*buffer"
    r"|buffer too small .*\blog\b|increas\w+ (?:the )?(?:BPFTRACE_LOG_SIZE|log[ _](?:buffer )?size))"
)
_BYTES = r"(\d{4,12}) bytes"
_LARGEST_BUFFER = 16_000_000  # bytes: 2²⁴ - 1 is the maximum that kernels before 5.2 accept
_COUNTED = r"(?i).*?\bprogram +too large \((?P<have>\d{1,9}) insns\), at most (?P<most>\d{1,9}) insns"
_NEEDS = r".*?\b(?P<what>[^:;]{3,80}?) ?(?:: )?not supported \(requires >= v?(?P<version>\d+\.\d+)\)"

MISSING_LOG = (
    "The verifier's log, which gives the reason, isn't here: request it from the loader, with log level 1 and a large "
    "buffer."
)
SILENT = Meaning("unknown", MISSING_LOG)
OWN_WORDS = Meaning(
    "unknown",
    "The loader gave up by itself, before or after the verifier looked at the program: its own message says why; its "
    "debug output says more.",
)
_TOO_SMALL = Meaning(
    "other",
    "The verifier's log did not fit into the loader's buffer, so the call failed whether or not the program is fine. "
    "Give it a larger one (bpftrace: BPFTRACE_LOG_SIZE): an error message, if any, is at the end.",
    fault="environment",
    decides=True,
)
_TOO_LARGE = Meaning(
    "insn_limit",
    "The program has more instructions than the kernel allows, or the verifier gave up: after a million steps, before "
    "Linux 5.2 after 131,072 at most. The log's end would show which of the two, but that doesn't matter. Make the "
    "program smaller: lower loop bounds, inline less, split it by tail calls.",
    fault="program",
    decides=True,
)
_BY_ERRNO = {
    "EPERM": Meaning(
        "privilege",
        "The kernel refused the call before its verifier looked at the program: the loader lacks CAP_BPF (and for "
        "tracing CAP_PERFMON), a container or lockdown forbids it, or, before Linux 5.11, RLIMIT_MEMLOCK is too low. "
        "Load as root outside a container, and raise that limit.",
        fault="environment",
    ),
    "E2BIG": _TOO_LARGE,
    "ENOSPC": _TOO_SMALL,
    "ENOMEM": Meaning(
        "other",
        "There was not enough memory for the program or its maps: on the machine, in its cgroup, or within "
        "RLIMIT_MEMLOCK (before Linux 5.11). Make maps smaller or raise the limit.",
        fault="environment",
    ),
    "EINVAL": Meaning(
        "unknown",
        MISSING_LOG + " If the loader requested one and it is empty, the verifier never looked at the program: the "
        "kernel doesn't know its type, its attach type or a flag, or, before Linux 5.0, a kprobe's "
        "kern_version isn't that of the running kernel.",
    ),
    "ENOTSUPP": Meaning(
        "unsupported",
        "The verifier accepts the program, but this kernel or machine can't run it: its JIT compiler lacks something "
        "that the program uses, such as calls of kernel functions or programs attached to functions. Use a newer "
        "kernel.",
        fault="kernel",
    ),
    "EOPNOTSUPP": Meaning(
        "unsupported",
        "This kernel's configuration doesn't support that for programs of this type. Use a newer kernel, or another "
        "type of program.",
        fault="kernel",
    ),
    "ENOSYS": Meaning(
        "unsupported", "This kernel was built without BPF (CONFIG_BPF_SYSCALL). Use another kernel.", fault="kernel"
    ),
    "EBADF": Meaning(
        "bad_map_fd",
        "A file descriptor that the program refers to, of a map, of BTF or of another program, isn't open. Create all "
        "maps first and keep them open until the program is loaded.",
        fault="loader",
    ),
    "EFAULT": Meaning(
        "unknown",
        MISSING_LOG + " EFAULT means that the verifier hit a bug of its own, or, before Linux 6.4, that the log "
        "didn't fit into the buffer: begin with one of 16 MB, and look into `dmesg`.",
    ),
    "EAGAIN": Meaning(
        "other",
        "A signal interrupted the verifier each time it looked at the program. Load again; a profiler or timer that "
        "sends signals to the loader must wait until it is loaded.",
        fault="environment",
    ),
}


def recognise(line: str, errno: str) -> Meaning | None:
    """The meaning of a line about a program that wasn't loaded, or a log that didn't fit; None if it is neither."""
    if compiled(_BUFFER).match(line):
        size = compiled(_BYTES).search(line)
        return _TOO_COMPLEX if size and int(size[1]) >= _LARGEST_BUFFER else _TOO_SMALL
    if needs := compiled(_NEEDS).match(line):
        what = needs["what"].strip().lstrip("(")
        return Meaning(
            "unsupported",
            f"The loader says that {what} needs Linux {needs['version']} or newer, and this kernel is older. Do "
            "without it, or use a newer kernel.",
            fault="kernel",
        )
    if not compiled(_FORM).match(line):
        return None
    return _BY_ERRNO.get(errno, SILENT) if errno else None


def counted(line: str, _errno: str) -> Meaning | None:
    """The meaning of libbpf's and BCC's message for E2BIG, which they attribute to too many instructions even if there
    are few.
    """
    match = compiled(_COUNTED).match(line)
    if not match:
        return None
    have, most = int(match["have"]), int(match["most"])
    if have > most:
        return replace(
            _TOO_LARGE,
            explanation=f"The program has {have:,} instructions. Before Linux 5.2, and without CAP_BPF, a program may "
            f"have {most:,}; otherwise the verifier gave up after a million steps. Make the program smaller: lower "
            "loop bounds, inline less, split it by tail calls.",
        )
    return replace(
        _TOO_LARGE,
        explanation=f"The program isn't too long ({have:,} instructions, and at least {most:,} are allowed), but the "
        "verifier gave up: after a million steps, before Linux 5.2 after 131,072 at most. It follows every path and "
        "every turn of every loop. Lower the bounds of loops, merge branches that do the same, split it by tail calls.",
    )


_TOO_COMPLEX = Meaning(
    "insn_limit",
    "The verifier's log is larger than the 16 MB that the kernel allows: with so many paths to follow, the program is "
    "very likely too complex for the verifier. Lower loop bounds, make fewer branches, split it by tail calls; a log "
    "without the instructions (log level 4) fits and shows the error.",
    fault="program",
    decides=True,
)
