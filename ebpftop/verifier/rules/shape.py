"""Complaints about the program as a whole."""

from ebpftop.verifier.rules.model import rule

RULES = (
    rule(
        "unbounded_loop",
        r"infinite loop detected",
        "The loop comes back to the same place with nothing changed, so it would never end. Count to a constant: `for"
        " (int i = 0; i < 64; i++)`, and leave it early with `break`.",
    ),
    rule(
        "unbounded_loop",
        r"back-edge from insn",
        "The program jumps backwards, and loops are not allowed here (older kernels, or loading without CAP_BPF). "
        "Unroll the loop: `#pragma unroll` before a loop with a constant bound.",
    ),
    rule(
        "insn_limit",
        r"BPF program is too large\. Processed|too many instructions",
        "The verifier gave up after a million steps: it follows every path and every turn of every loop. Lower the "
        "bounds of loops, put a large loop's body into `bpf_loop`, and merge branches that do the same.",
    ),
    rule(
        "insn_limit",
        r"The sequence of \d+ jumps is too complex",
        "So many branches follow one another that the verifier can't remember all the paths still to be looked at. "
        "Make fewer branches in a row: calculate instead of testing, use a table in a map, lower loop bounds.",
    ),
    rule(
        "bad_instruction",
        r"unreachable insn",
        "Some instructions can never be reached, which the verifier takes for a mistake. Look for code behind an "
        "endless loop or a jump over it, and for inline assembler.",
    ),
    rule(
        "bad_instruction",
        r"last insn is not an exit or jmp",
        "The program can run off its end, or its last function never returns. End every function with `return`. A "
        "function the compiler did not inline also ends up like this under BCC: mark it `static inline "
        "__attribute__((always_inline))`.",
    ),
    rule(
        "bad_instruction",
        r"jump out of range|jump into the middle",
        "A jump leads outside of the program or into the middle of an instruction. Look at inline assembler; else the"
        " program was damaged after it was compiled.",
    ),
    rule(
        "unknown_func",
        r"unknown opcode 8d",
        "The program calls through a pointer. A map method that BCC did not rewrite becomes such a call. Use map "
        "methods only in the main text, not in an included header and not in a macro; mark helper functions `static "
        "inline`.",
    ),
    rule(
        "bad_instruction",
        r"unknown opcode|BPF_\w+ uses reserved fields|invalid BPF_\w+",
        "The kernel does not know this instruction: it is newer than the kernel, or the program was damaged. Compile "
        "for an older instruction set (`-mcpu=v2`), or use a newer kernel.",
    ),
    rule(
        "bad_instruction",
        r"invalid shift (?P<by>-?\d+)",
        "A shift by $by bits is outside of the register's width. Shift by less than 32 or 64 bits, as the type has.",
    ),
    rule(
        "bad_instruction",
        r"div by zero",
        "The program divides by a constant zero. Check the divisor.",
    ),
    rule(
        "unreleased_ref",
        r"Unreleased reference id=\d+ alloc_insn=|would lead to reference leak",
        "A path ends while the program still owns something it has to give back: a reserved ring buffer record, a "
        "socket, a lock. Submit or discard the record (or release the object) on every path, also before each early "
        "`return`.",
    ),
    rule(
        "lock",
        r"(?:function calls are|sleepable helper .* is) not allowed while holding a lock|bpf_spin_unlock",
        "Between taking and releasing a spin lock only plain instructions are allowed, and every path must release "
        "it. Do the calls before or after, and unlock on every path.",
    ),
    rule(
        "insn_limit",
        r"too many subprograms|JIT doesn't support bpf-to-bpf calls",
        "The program is made of more functions than this kernel takes. Inline them: `static inline "
        "__attribute__((always_inline))`.",
    ),
    rule(
        "global_func",
        r"arg#\d+ reference type",
        "A function that is not inlined takes a pointer whose size the verifier can't know. Make the function `static"
        " inline __attribute__((always_inline))`.",
    ),
)
