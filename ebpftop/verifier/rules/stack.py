"""The stack: 512 bytes for all functions on one call path, and every byte must be written before it is read."""

import re

from ebpftop.verifier.rules.model import Held, rule

_SIZE = 512  # bytes
_ZERO = "struct key key = {};"


def _above(match: re.Match[str], _held: Held) -> bool:
    """Whether the access reaches above the frame pointer."""
    off = match["off"]
    return off.removeprefix("-").isdigit() and int(off) + int(match["width"]) > 0


def _within(match: re.Match[str], _held: Held) -> bool:
    """Whether the access lies within the largest possible stack."""
    off = int(match["off"])
    return off >= -_SIZE and off + int(match["width"]) <= 0


RULES = (
    rule(
        "uninitialised_stack",
        r"invalid (?:indirect )?(?:read from|access to) stack (?:@reg )?off -?\d+\+-?\d+ size",
        "Some of these bytes of the stack were never written. Often it is the padding between the members of a "
        "struct. Set the whole variable to zero where it is declared, then fill in the members.",
        _ZERO,
    ),
    rule(
        "uninitialised_stack",
        r"invalid (?:indirect )?read from stack (?:@reg )?var_off",
        "Some of the bytes of the stack that this index can reach were never written. Set the whole array to zero "
        "where it is declared.",
        "char buffer[N] = {};",
    ),
    rule(
        "uninitialised_stack",
        r"reading from stack .*slot poisoned by dead code elimination",
        "The program reads a part of the stack that the verifier found unused and discarded. Initialise the variable "
        "where it is declared, and read it with the type it was written with.",
        _ZERO,
    ),
    # the kernel has one message for accesses below all that was written and outside the stack
    # (check_stack_slot_within_bounds)
    rule(
        "uninitialised_stack",
        r"invalid (?:read from|indirect access to) stack(?: @reg)? off=(?P<off>-\d+) size=(?P<width>\d+)",
        "The $width bytes at offset $off of the stack lie below all that the function has written so far: they have "
        "no value yet. Initialise the whole variable where it is declared.",
        _ZERO,
        when=_within,
    ),
    rule(
        "oob_stack",
        (r"invalid variable-offset.* stack @reg",),
        "The index can reach outside the array on the stack. Bound it just before the access, or keep the array in a "
        "map.",
        "if ($index >= N)    // $index unsigned; N elements\n    return 0;",
    ),
    rule(  # before 5.12, also for a size of 0
        "oob_stack",
        r"invalid stack type @reg off=(?P<off>-?\d+) access_size=(?P<width>-?\d+)",
        "The call may access $width bytes at offset $off of the stack, and that isn't within the 512 bytes below the "
        "frame pointer, or the size isn't positive. Pass the size of the variable itself, and bound a size that isn't "
        "constant.",
        "if (size > sizeof(buffer))    // size unsigned\n    return 0;",
    ),
    rule(
        "oob_stack",
        r"invalid read from stack(?: @reg)? off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The program reads $width bytes at offset $off of the stack, above all its variables. If the line reads a "
        "member of a copy of a kernel's struct, CO-RE moved the member to this kernel's offset, beyond the copy: read "
        "that member from the kernel's struct itself. Otherwise an index runs past the end of an array: bound it by "
        "the array's size.",
        "value = BPF_CORE_READ(source, member);",
        at=r"\) [rw]\d = \*\(\w+ \*\)\(r\d [+-]\d+\)",
        when=_above,
    ),
    rule(
        "oob_stack",
        r"invalid(?: indirect| write to| read from| access to)* stack(?: @reg)? off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The access reaches above the frame pointer: $width bytes at offset $off end at $need, and a function's "
        "variables lie below 0. The stack isn't full; an index or a size runs past the end of an array, or the call "
        "gets a size larger than the variable. Bound it by the array's own size.",
        "if ($index >= N)    // $index unsigned; N elements\n    return 0;",
        when=_above,
    ),
    rule(
        "oob_stack",
        r"invalid(?: indirect| write to| read from| access to)* stack(?: @reg)? off=(?P<off>\S+) size=(?P<width>\d+)",
        "The access of $width bytes at offset $off lies outside the stack, which has 512 bytes below the frame "
        "pointer. Make large variables smaller or move them into a per-CPU array map; check indices into arrays on "
        "the stack.",
    ),
    rule(
        "oob_stack",
        (
            r"invalid read from stack arg off",
            r"stack arg write offset \d+ exceeds max",
        ),
        "The program reads or writes an argument beyond those the function has: arguments from the sixth on lie on "
        "the stack, and only as many as are declared. Declare the function before calling it, with all parameters.",
    ),
    rule(
        "uninitialised_stack",
        r"callee expects (?P<want>\d+) args, stack arg(?P<which>\d+) is not initialized",
        "The function takes $want arguments, and the caller didn't set all of those that lie on the stack. Pass every "
        "argument at every call.",
    ),
    rule(
        "bad_instruction",
        r"r11 load must be before any r11 store or call insn",
        "A function reads its arguments on the stack after a call has overwritten them. Compile with a compiler that "
        "knows such arguments, or pass a pointer to a struct.",
    ),
    rule(
        "stack_too_large",
        r"combined stack size of (?P<frames>\d+) calls is (?P<bytes>\d+)",
        "All functions on one call path share 512 bytes of stack, and these $frames need $bytes. Move buffers into a "
        "per-CPU array map, or reserve them in a ring buffer.",
        "u32 zero = 0;\nstruct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);\nif (!scratch)\n    return "
        "0;",
    ),
    rule(
        "stack_too_large",
        (
            r"stack size of subprog \d+ is (?P<bytes>\d+)",
            r"stack size (?P<bytes_>\d+)\(extra \d+\) is too large",
            r"stack depth \d+ exceeds interpreter stack depth limit",
        ),
        "A function's variables need more than the 512 bytes of stack available. Move buffers into a per-CPU array "
        "map, or reserve them in a ring buffer.",
        "u32 zero = 0;\nstruct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);\nif (!scratch)\n    return "
        "0;",
    ),
    rule(
        "stack_too_large",
        r"tail_calls are not allowed when call stack of previous frames is (?P<bytes>\d+) bytes",
        "A function that makes a tail call is called with $bytes bytes of stack in use already; 256 is the limit, as "
        "the next program needs its own. Make the tail call from the main function, or move buffers into a map.",
    ),
    rule(
        "stack_too_large",
        r"the call stack of (?P<frames>\d+) frames is too deep",
        "Functions call each other $frames deep; eight is the limit. Let the compiler inline some of them.",
        "static __always_inline int step(struct state *state)",
    ),
)
