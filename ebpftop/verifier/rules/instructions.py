"""Instructions that the kernel doesn't accept, either alone or in their order."""

import re

from ebpftop.verifier.rules.model import Held, rule


def _to_next(match: re.Match[str], _held: Held) -> bool:
    """Whether the target is the very next instruction, so that there is no jump."""
    return int(match["from"]) + 1 == int(match["to"])


RULES = (
    rule(
        "bad_instruction",
        r"unreachable insn",
        "Some instructions can never be reached, which the verifier treats as a mistake. Look for code after an "
        "endless loop or a jump over it, and for inline assembler.",
    ),
    rule(
        "bad_instruction",
        r"last insn is not an exit or jmp",
        "The program can run off its end, or its last function never returns. End every function with `return`. Under "
        "BCC, a function that the compiler did not inline ends up like this too.",
        "static __always_inline int step(struct state *state)",
    ),
    rule(
        "bad_instruction",
        r"jump out of range from insn (?P<from>\d{1,9}) to (?P<to>\d{1,9})",
        "Instruction $from is the last and isn't `exit`, so the program runs off its end; no jump is wrong. (Kernels "
        "before 5.0 word it like this.) The program was cut, or its length was counted wrongly: pass the number of "
        "instructions, not of bytes, and end every function with `return`.",
        when=_to_next,
        fault="loader",
    ),
    rule(
        "bad_instruction",
        (
            r"(?:indirect )?jump out of range",
            r"jump into the middle",
            r"invalid insn idx",
            r"jump table for insn",
            r"no jump tables found",
            r"(?P<reg>R\d+) points to outside of jump table",
            r"the sum of R\d+ u(?:min|max)_value",
        ),
        "A jump leads outside of its function or into the middle of an instruction. Look at inline assembler and at "
        "`switch` (`-fno-jump-tables`); otherwise the program was damaged after it was compiled.",
    ),
    rule(
        "bad_instruction",
        (
            r"R\d+ (?:has an empty map pointer|has incorrect map type|has type \w+, expected PTR_TO_INSN)",
            r"register R\d+ doesn't point to any offset in map",
        ),
        "An indirect jump goes through a register that doesn't hold the address of an instruction. Compile `switch` "
        "without jump tables (`-fno-jump-tables`).",
    ),
    rule(
        "bad_instruction",
        r"unknown opcode 8d",
        "The program calls through a pointer, which isn't possible. Under BCC a map method that was not rewritten "
        "becomes such a call: use map methods only in the main text, not in an included header and not in a macro. "
        "Otherwise call each function by its name.",
        "value = bpf_map_lookup_elem(&map, &key);    // instead of map.lookup(&key)",
    ),
    rule(
        "bad_instruction",
        (
            r"unknown (?:opcode|insn class)",
            r"unrecognized bpf_ld_imm64",
            r"BPF_\S+ uses (?:reserved|invalid) ",
            r"invalid BPF_\w+",
            r"invalid bpf_ld_imm64",
            r"Unknown conditional jump",
        ),
        "The kernel does not know this instruction: it is newer than the kernel, or the program was damaged. Compile "
        "for an older instruction set (`-mcpu=v2`), or use a newer kernel.",
    ),
    rule(
        "bad_instruction",
        (r"invalid atomic operand size",),
        "Atomic operations work on 4 or 8 bytes. Make the counter `u32` or `u64`.",
        "u64 count;\n/* ... */\n__sync_fetch_and_add(&value->count, 1);",
    ),
    rule(
        "bad_instruction",
        r"invalid shift (?P<by>-?\d+)",
        "A shift by $by bits exceeds the register's width. Shift by less than the type's 32 or 64 bits.",
        "value = (u64)1 << (n & 63);",
    ),
    rule(
        "bad_instruction",
        r"div by zero",
        "The program divides by a constant zero. Check the divisor.",
    ),
    rule(
        "bad_instruction",
        (
            r"invalid may_goto",
            r"(?:addr_space_cast insn can only convert)",
        ),
        "The instruction isn't encoded as this kernel expects: compiler and kernel don't match. Use a newer kernel, "
        "or another loop.",
    ),
    rule(
        "unsupported",
        (
            r"addr_space_cast insn can only be used",
            r"sign extending loads from arena",
        ),
        "The program uses arena memory without being bound to an arena, or in a way the kernel doesn't support. Refer "
        "to the arena map in the program, and load unsigned values.",
    ),
    rule(
        "unsupported",
        (
            r"BPF_LD_\[?ABS\|IND\]? instructions (?:not allowed|cannot be mixed)",
            r"at the time of BPF_LD_ABS",
            r"LD_ABS is",
            r"cannot use BPF_LD_\[ABS\|IND\] within",
        ),
        "`load_byte`, `load_half` and `load_word` (instructions from classic BPF) work only in the main function of "
        "packet programs, with the context in R6. Use the helper.",
        "bpf_skb_load_bytes(skb, offset, &value, sizeof(value));",
    ),
    rule(
        "unsupported",
        r"64-bit (?:load-acquires|store-releases) are only supported on 64-bit",
        "Atomic loads and stores of 64 bits need a 64-bit machine, and this one has 32 bits. Use 32-bit values.",
    ),
)
