"""Complaints about registers, and about the arguments of helpers."""

from ebpftop.verifier.rules.model import rule

RULES = (
    rule(
        "bad_return",
        r"R0 !read_ok",
        "A path ends without a return value: R0 was never set on it. Return a value on every path (`return 0;`), also"
        " at the end of the function.",
        at=r"\(95\) exit",
    ),
    rule(
        "uninitialised_reg",
        r"R(?P<reg>\d+) !read_ok",
        "R$reg has no value on this path: a variable is used before it was set, or after a call that clobbered it. "
        "Initialise the variable where it is declared, and on every path.",
    ),
    rule(
        "bad_return",
        r"At program exit the register R0 has|R0 .*should have been in",
        "This type of program may only return certain values, and this one may return others. Return one of the "
        "values in the range at the end of the complaint: for fentry and fexit that is 0.",
    ),
    rule(
        "privilege",
        r"R\d+ leaks addr",
        "The program would hand a kernel address to user space, which needs privileges this loader does not have. "
        "Don't store pointers in maps or return them; else load with CAP_PERFMON.",
    ),
    rule(
        "pointer_arith",
        r"R\d+ pointer [+-]= pointer prohibited",
        "Adding two pointers, or subtracting two of different objects, gives nothing the verifier could check. Add a "
        "bounded number to one pointer.",
    ),
    rule(
        "pointer_arith",
        r"(?:R\d+ )?bitwise operator \S+ on pointer prohibited|pointer arithmetic with \S+ operator prohibited",
        "Only adding and subtracting numbers is allowed on a pointer. Do the calculation on an index and add that to "
        "the pointer.",
    ),
    rule(
        "pointer_arith",
        r"(?:R\d+ )?pointer arithmetic on (?P<kind>\w+) prohibited",
        "A pointer of kind `$kind` may not be calculated with. Use it as it is, or copy what it points at and "
        "calculate in the copy.",
    ),
    rule(
        "pointer_arith",
        r"same insn cannot be used with different pointers",
        "One instruction works on different kinds of memory depending on the path, usually since the compiler merged "
        "two branches. Write the accesses apart, or keep the branches apart with a compiler barrier.",
    ),
    rule(
        "unknown_func",
        r"invalid func unknown#(?P<id>\d+)",
        "The program calls helper number $id, which this kernel does not have. Use a helper that this kernel offers, "
        "or make a variant of the program for older kernels.",
    ),
    rule(
        "unknown_func",
        r"(?:program of this type cannot use helper|unknown func|invalid func) (?P<func>\w+)#\d+",
        "Programs of this type may not call `$func`, or this kernel does not have it for them. Each program type has "
        "its own list of helpers: use another one, or attach in another way.",
    ),
    rule(
        "privilege",
        r"GPL-restricted function from non-GPL|cannot call GPL",
        "This helper is only for programs that declare a licence compatible with the GPL. Declare one, as `Dual "
        "MIT/GPL` (BCC does that unless told otherwise).",
    ),
    rule(
        "unknown_func",
        r"helper call is not allowed in probe|helper call might sleep in a non-sleepable",
        "This helper may not be called from where the program is attached. Use another helper, or attach in another "
        "way.",
    ),
    rule(
        "map_type",
        r"cannot pass map_type (?P<type>\d+) into func (?P<func>\w+)",
        "`$func` does not work on this type of map (type $type). Declare the map with the type the helper needs, or "
        "use the operation that belongs to the map.",
    ),
    rule(
        "helper_arg_type",
        r"R(?P<arg>[1-5]) type=(?P<kind>\w+) expected=ctx",
        "Argument $arg of this call must be the program's own context, and gets `$kind`. Pass `ctx` on as the program"
        " received it.",
    ),
    rule(
        "helper_arg_type",
        r"R(?P<arg>[1-5]) type=(?:scalar|inv) expected=",
        "Argument $arg of this helper must be a pointer to memory the program owns, and gets a plain number. Copy the"
        " data into a variable on the stack (`bpf_probe_read_kernel`) and pass the address of that.",
    ),
    rule(
        "helper_arg_type",
        r"R(?P<arg>[1-5]) type=(?P<kind>\w+) expected=(?P<wanted>.+)",
        "Argument $arg of this helper gets `$kind`; it takes $wanted. Pass the kind of pointer the helper asks for, "
        "through a variable on the stack if need be.",
    ),
    rule(
        "helper_arg_type",
        r"R\d+ is of type \S+ but \S+ is expected|R\d+ must be (?:referenced or trusted|a known)",
        "The call gets a pointer to another kind of kernel object than it takes, or one it may not trust. Pass the "
        "object as the kernel handed it to the program, not one read from memory.",
    ),
    rule(
        "helper_arg_type",
        r"R(?P<arg>\d+) is not a known constant",
        "Argument $arg of this call must be a constant the verifier can see. Use a literal or `sizeof`; reserve the "
        "largest size there can be, and send it whole.",
    ),
    rule(
        "unbounded_access",
        r"R(?P<arg>\d+) min value is negative, either use unsigned or",
        "Argument $arg of this helper is a size, and may be negative here as far as the verifier can tell. Bound it "
        "just before the call: an unsigned `n` with `if (n > sizeof(buffer)) return 0;`, or `n &= SIZE - 1` for a "
        "power of two.",
    ),
    rule(
        "unbounded_access",
        r"R(?P<arg>\d+) unbounded memory access, use",
        "Argument $arg of this helper is a size without an upper bound the verifier could see. Bound it just before "
        "the call: `if (n > sizeof(buffer)) return 0;`, or `n &= SIZE - 1` for a power of two.",
    ),
    rule(
        "helper_arg_type",
        r"R(?P<arg>\d+) invalid zero-sized read",
        "The size may be 0 here, and this helper does not take an empty buffer. Skip the call when the size is 0, or "
        "pass a constant size.",
    ),
)
