"""The program's context: it is read at fixed offsets, and each type of program has its own fields."""

import re

from ebpftop.verifier.rules.model import Held, rule


def _straddles(match: re.Match[str], _held: Held) -> bool:
    """Whether 8 bytes begin where only a field of 4 bytes can begin, and none of 8."""
    return match["width"] == "8" and int(match["off"]) % 8 == 4


def _moved(_match: re.Match[str], held: Held) -> bool:
    return held.moved


def _narrow(match: re.Match[str], _held: Held) -> bool:
    """Whether the access is of a part of a field: fields have 4 or 8 bytes."""
    return match["width"] in ("1", "2")


RULES = (
    rule(
        "ctx_access",
        r"@reg invalid mem access 'inv'",
        "This is the context after an offset was added to it. Old kernels then no longer know it as the context: it "
        "may be read only at constant offsets in the instruction itself. The compiler moved the pointer, often because "
        "several branches read different fields. Read each field into a variable of its own before the branches, "
        "through `volatile`.",
        "u64 value = *(volatile u64 *)&ctx->field;",
        when=_moved,
        fault="compiler",
    ),
    rule(
        "ctx_access",
        (
            r"dereference of modified ctx ptr",
            r"variable ctx access",
            r"negative offset ctx ptr",
        ),
        "The program reads its context through a pointer it has moved; the context may be read only at fixed offsets "
        "from its start. Read each field directly, not through a calculated pointer or in a loop with a variable "
        "index.",
        "value = ctx->args[0];",
    ),
    rule(
        "ctx_access",
        r"invalid bpf_context access off=(?P<off>-?\d+)\. Reference may already be released",
        "The argument at offset $off of the context is an object that the program has already released. Use it only "
        "before releasing it.",
    ),
    rule(
        "ctx_access",
        r"invalid bpf_context access off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The access takes $width bytes at offset $off of the context, which isn't a multiple of 8: the compiler "
        "merged the accesses to two adjacent fields of 4 bytes. The kernel accepts accesses to the context only field "
        "by field. Keep the compiler from joining them: access them through `volatile`, or put a barrier between them.",
        'asm volatile("" ::: "memory");    // between the two fields',
        when=_straddles,
        fault="compiler",
    ),
    rule(
        "ctx_access",
        r"invalid bpf_context access off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The program writes $width bytes at offset $off of its context, where programs of this type may only read, or "
        "may not write with this width. Write a writable field with its own size (the compiler may join two adjacent "
        "ones: use `volatile`), or copy what you want to change into a variable of your own.",
        at=r"\([0-9a-f]{2}\) (?:lock )?\*\(",
    ),
    rule(
        "ctx_access",
        r"invalid bpf_context access off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The program reads $width bytes at offset $off of the context: only a part of a field, which has 4 or 8. "
        "Compilers do that when only those bits are used; kernels before 4.13 never allow it, later ones not for every "
        "field. "
        "Read the whole field with its own size, through `volatile`, and take the part from the copy. Check also that "
        "programs of this type have a field there.",
        "u32 whole = *(volatile u32 *)&ctx->field;",
        when=_narrow,
    ),
    rule(
        "ctx_access",
        r"invalid bpf_context access off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The context of this type of program has no field of $width bytes at offset $off that programs may read. "
        "Check the type of the function's first parameter, and how many arguments this attach point has.",
    ),
    rule(
        "ctx_access",
        r"invalid access to context, ctx_size=(?P<have>\d+) off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The context has $have bytes, and the access of $width bytes at offset $off reaches outside of it. Check the "
        "type of the function's first parameter.",
    ),
    rule(
        "ctx_access",
        r"func '(?P<func>[^']*)' doesn't have (?P<which>\S+) argument",
        "The kernel's `$func` has fewer arguments than the program reads. Compare with its prototype in the running "
        "kernel's BTF.",
    ),
    rule(
        "ctx_access",
        r"func '(?P<func>[^']*)' offset (?P<off>-?\d+) is not multiple of 8",
        "The arguments of `$func` are read as words of 8 bytes each, and the program reads at offset $off. Read the "
        "whole argument and cast it afterwards.",
        "int value = (int)ctx[0];",
    ),
    rule(
        "ctx_access",
        r"func '(?P<func>[^']*)' size (?P<width>\d+) must be 8",
        "The arguments of `$func` are read as words of 8 bytes each, and the program reads $width bytes. Read the "
        "whole argument and cast it afterwards.",
        "int value = (int)ctx[0];",
    ),
    rule(
        "ctx_access",
        r"func '(?P<func>[^']*)' arg(?P<index>\d+) '[^']*' has type (?P<is>[^.]*)\. Only pointer access is allowed",
        "This argument of `$func` is passed by value ($is), which the kernel can't hand over to the program. Attach "
        "to another function, or read the registers with a kprobe.",
    ),
    rule(
        "ctx_access",
        r"func '(?P<func>[^']*)' arg(?P<index>\d+) type (?P<is>\S+) (?:is not a struct|has multiple type tags)",
        "This argument of `$func` is a pointer to $is, which the verifier can't follow. Take it as a number and copy "
        "what it points at.",
        "bpf_probe_read_kernel(&value, sizeof(value), (void *)ctx[0]);",
    ),
    rule(
        "ctx_access",
        r"ret type (?P<is>\S+) not allowed for fmod_ret",
        "An fmod_ret program replaces the function's return value, and this function returns $is, not a number. Use "
        "fexit, which only observes.",
    ),
    rule(
        "btf",
        r"invalid btf_id for context argument offset",
        "The kernel gives no type for the pointer at this place in the context. Copy what it points at with "
        "`bpf_probe_read_kernel`.",
    ),
)
