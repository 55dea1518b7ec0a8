"""Loops that may not end, and programs too long to follow."""

import re

from ebpftop.verifier.rules.model import Held, rule

_OLD_LIMIT = 131_072  # steps, before 5.2


def _old(match: re.Match[str], _held: Held) -> bool:
    return int(match["steps"]) <= _OLD_LIMIT + 1


_COUNTED = "for (int i = 0; i < 64; i++) {\n    if (done)\n        break;\n}"

RULES = (
    rule(
        "unbounded_loop",
        r"infinite loop detected",
        "The loop comes back to the same place with nothing changed that the verifier could see, so it would never "
        "end. Count to a constant, and leave the loop early with `break`; a condition alone, such as the time, proves "
        "nothing.",
        _COUNTED,
    ),
    rule(
        "unbounded_loop",
        r"back-edge from insn",
        "The program jumps backwards, and loops are not allowed here (older kernels, or loading without CAP_BPF). "
        "Unroll the loop, which needs a constant bound.",
        "#pragma unroll\nfor (int i = 0; i < 16; i++)",
    ),
    rule(
        "unbounded_loop",
        r"recursive call from (?P<from>\S+) to (?P<to>\S+)",
        "`$from` calls `$to`, which leads back to it. Programs can't call themselves: write a loop with a constant "
        "bound.",
        _COUNTED,
    ),
    rule(
        "insn_limit",
        r"BPF program is too large\. Processed (?P<steps>\d{1,12}) insn",
        "The verifier gave up after $steps steps, one more than this old kernel takes (32,768 to 131,072 before Linux "
        "5.2, a million since): it follows every path. Such a kernel knows no loops either. Unroll less, merge "
        "branches that do the same, split the program by tail calls, or use a newer kernel.",
        "bpf_tail_call(ctx, &programs, NEXT);",
        when=_old,
    ),
    rule(
        "insn_limit",
        (r"BPF program is too large\. Processed",),
        "The verifier gave up after a million steps: it follows every path and every turn of every loop. Lower the "
        "bounds of loops, put a large loop's body into a function for `bpf_loop`, and merge branches that do the same.",
        "bpf_loop(1000, step, &state, 0);",
    ),
    rule(
        "insn_limit",
        r"The sequence of (?P<jumps>\d+) jumps is too complex",
        "So many branches follow one another ($jumps) that the verifier can't remember all the paths still to be "
        "looked at. Make fewer branches in a row: calculate instead of testing, use a table in a map, lower loop "
        "bounds, or use `bpf_loop`.",
    ),
    rule(
        "insn_limit",
        (
            r"failed to push state for",
            r"insn \d+ cannot be patched due to 16-bit range",
            r"liveness analysis exceeded complexity limit",
            r"too many subprograms",
        ),
        "The program is too large for the verifier: too many functions or calls among them, or jumps that reach too "
        "far. Split it and join the parts by a tail call.",
        "bpf_tail_call(ctx, &programs, NEXT);",
    ),
    rule(
        "insn_limit",
        r"The total number of maps per program has reached the limit of (?P<most>\d+)",
        "A program may use $most maps. Put several values into one map.",
    ),
    rule(
        "insn_limit",
        r"fd_array_cnt is too big",
        "The loader names more maps and BTF objects than a program may use. Load only what this program needs.",
    ),
)
