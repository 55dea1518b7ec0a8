"""Functions of the program that aren't inlined: their parameters, callbacks, tail calls, extensions."""

from ebpftop.verifier.rules.model import rule

_INLINE = "static __always_inline int step(struct state *state)"

RULES = (
    rule(
        "kfunc_arg",
        r"@reg reference type\('(?P<of>[^']*)'\) size cannot be determined",
        "Argument $nth of $call is a pointer to `$of`, whose size the verifier doesn't know. Pass a pointer to a "
        "complete struct.",
    ),
    rule(
        "kfunc_arg",
        r"@arg reference type\('(?P<of>[^']*)'\) size cannot be determined",
        "Argument $nth of $call is a pointer to `$of`, whose size the verifier doesn't know. Pass a pointer to a "
        "complete struct.",
        at=r"call (?!pc)",
    ),
    rule(
        "global_func",
        r"arg#\d+ reference type\('(?P<of>[^']*)'\)",
        "A global function takes a pointer to `$of`, which the verifier can't check without knowing its size. Make "
        "the function static, so that it is checked at every call, or take a pointer to a complete struct.",
        _INLINE,
    ),
    rule(
        "global_func",
        (
            r"Arg#\d+ type \S+ in (?P<func>\S+)\(\) is not supported yet",
            r"The function (?P<func_>\S+) (?:arg\d+ type|return type|with variable args|has malformed|has \d+ arg)",
        ),
        "The function has a parameter or return value of a type that programs can't pass: structs by value, too many "
        "parameters, variable arguments. Take numbers and pointers, at most five.",
        "int step(struct state *state, u32 flags)",
    ),
    rule(
        "global_func",
        r"Global function (?P<func>\S+)\(\) (?:doesn't return scalar|return value not void or scalar)",
        "The global function `$func` must return a number (on newer kernels also nothing). Make it static, or return "
        "a number and pass results through a pointer.",
        "static int $func(...)",
    ),
    rule(
        "global_func",
        (
            r"(?:Global|global) function (?P<func>\S+?)(?:\(\))? (?:with|has) (?P<have>\d+) > (?P<most>\d+) args",
            r"kernel supports at most (?P<most>\d+) parameters",
            r"freplace programs with >(?P<most>\d+) args",
        ),
        "A function may have $most parameters here, and this one has more. Pass the rest in a struct.",
        "int step(struct state *state)",
    ),
    rule(
        "global_func",
        r"Caller passes invalid args into func#(?P<nr>\d+)",
        "A global function is checked once for any arguments that fit its prototype, and the arguments passed here "
        "don't: the message above says why. Make the function static, so that it is checked at this call, or pass "
        "what it takes.",
        _INLINE,
    ),
    rule(
        "global_func",
        r"@arg expects pointer to ctx",
        "Argument $nth of this function is declared as the program's context, but gets something else. Pass `ctx` on "
        "as the program received it.",
    ),
    rule(
        "global_func",
        r"@reg is not a scalar$",
        "Argument $nth of this global function is declared as a number, but gets a pointer. Change the parameter's "
        "type, or make the function static.",
        at=r"call pc",
    ),
    rule(
        "global_func",
        (
            r"arg#\d+ has (?:invalid combination|unsupported set|pointer tag|type )",
            r"arg#\d+ type(?:'s)? tag",
            r"arg#\d+ marked as non-null",
            r"arg#\d+ arena cannot be",
            r"arg#\d+ untrusted cannot be",
            r"arg#\d+ should be",
            r"arg#\d+ type (?:isn't|doesn't)",
            r"arg#\d+ struct doesn't",
            r"function signature member has",
            r"kern ctx type id",
        ),
        "The parameter's tags or type aren't what the verifier knows for global functions. Take the context as the "
        "struct of this program type, or a pointer to a complete struct, with at most one tag such as `__arg_nonnull`.",
        "int step(struct state *state __arg_nonnull)",
    ),
    rule(
        "global_func",
        r"@arg is not a pointer to arena or scalar",
        "Argument $nth of this function is declared as a pointer into an arena, and gets something else. Pass such a "
        "pointer.",
    ),
    rule(
        "global_func",
        r"reg type unsupported for @arg function",
        "Argument $nth of this function is a pointer that the verifier can't follow into it. Make the function "
        "inline, or take a number or a pointer to a complete struct.",
        _INLINE,
    ),
    rule(
        "global_func",
        r"@reg is a packet pointer, but func#\d+ may change packet data",
        "The function called may change the packet, so a pointer into it would be stale inside. Pass the context and "
        "an offset, and read the packet's pointers again there.",
    ),
    rule(
        "global_func",
        (r"call to invalid destination",),
        "A call leads to an instruction that isn't the beginning of a function. Under BCC, a function that isn't "
        "inlined causes this; elsewhere, one that was declared but never linked.",
        _INLINE,
    ),
    rule(
        "global_func",
        (
            r"callback function not static",
            r"callback function cannot be the main program",
        ),
        "A callback must be a static function of its own, so that it is verified with what the caller passes. Declare "
        "it `static`.",
        "static long step(u64 index, void *ctx)\n{\n    return 0;    // 1 ends the loop\n}",
    ),
    rule(
        "global_func",
        (
            r"bpf_throw kfunc \(insn",
            r"insn \d+ cannot call exception cb",
            r"cannot tail call within (?:exception cb|callback)",
            r"exception cb (?:cannot|only)",
            r"exception callback (?:'|type id)",
            r"multiple exception callback",
            r"invalid exception callback",
        ),
        "An exception callback must be one global function that takes one number and returns a number. Only the "
        "kernel may call it; callbacks can't make tail calls or throw.",
        "int on_error(u64 cookie)\n{\n    return 0;\n}",
    ),
    rule(
        "unsupported",
        (
            r"JIT doesn't support bpf-to-bpf calls",
            r"tail_calls are not allowed in (?:non-JITed|programs with (?:stack|bpf-to-bpf))",
            r"callbacks are not allowed in non-JITed",
            r"stack args are not supported in non-JITed",
            r"JIT does not support function",
            r"mixing of tail_calls",
            r"program requires BPF JIT",
        ),
        "Functions that aren't inlined, callbacks, and tail calls mixed with such functions need the JIT compiler, "
        "which this kernel lacks or has switched off (`sysctl net.core.bpf_jit_enable=1`), or which doesn't support "
        "them on this machine. Let the compiler inline the functions.",
        _INLINE,
    ),
    rule(
        "unsupported",
        r"tail_call is (?:not allowed in subprogs without BTF|only allowed in functions that return)",
        "A function that makes a tail call must return `int` and have type information. Compile with `-g`, or make "
        "the tail call from the main function.",
    ),
    rule(
        "global_func",
        r"func#\d+ writes \d+ stack arg slots",
        "A function is called with more arguments than it declares. Declare it, with all parameters, before calling "
        "it.",
    ),
)
