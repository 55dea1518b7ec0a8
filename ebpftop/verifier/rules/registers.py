"""The contents of registers: no value yet, pointer arithmetic, the value that a program returns."""

from ebpftop.verifier.rules.model import rule

_UNPRIVILEGED = "Without CAP_PERFMON the kernel is stricter, since speculative execution could leak what it reads."

RULES = (
    rule(
        "bad_return",
        r"R0 !read_ok",
        "A path ends without a return value: R0 was never set on it. Return a value on every path, also at the end of "
        "the function.",
        "return 0;",
        at=r"\(95\) exit",
    ),
    rule(
        "uninitialised_reg",
        r"(?P<reg>R\d+) !read_ok",
        "$reg has no value on this path: a variable is used before it was set, or after a call that overwrote it (a "
        "call keeps only R6 to R9). Initialise the variable where it is declared, and pass every argument.",
        "u64 value = 0;",
    ),
    # the value returned
    rule(
        "bad_return",
        r"At bpf_set_retval the register R1 .*should have been in (?P<want>\[.*?\])",
        "`bpf_set_retval` sets what the system call returns: here one of $want. Bound the value before the call.",
    ),
    rule(
        "bad_return",
        r"At [\w ]{1,40} register R\d+ .*should have been in (?P<want>\[(?:-\d+|0),.*?\]|\(0x0;.*?\))",
        "The value returned here must lie in $want, but as far as the verifier can tell it may lie outside. Return a "
        "constant from that range, or test the value first.",
        "return 0;",
    ),
    rule(
        "bad_return",
        r"At [\w ]{1,40} register R\d+ .*should have been in (?P<want>[\[(](?P<low>\w+)[,;].*?[\])])",
        "The value returned here must lie in $want, but as far as the verifier can tell it may lie outside. Return a "
        "constant from that range, or test the value first.",
        "return $low;",
    ),
    rule(  # before 5.3
        "bad_return",
        r"At [\w ]{1,40} register R\d+ .*should have been (?P<want>0(?: or 1)?)$",
        "The value returned here must be $want, but as far as the verifier can tell it may be another. Return such a "
        "constant, or test the value first.",
        "return 0;",
    ),
    rule(
        "bad_return",
        (
            r"(?:At|In) [\w ]{1,40} register R\d+ is not a (?:known|scalar) value \(@type\)",
            r"R0 not a scalar value",
        ),
        "The value returned must be a number, and it is a pointer or unknown here. Return a number.",
        "return 0;",
    ),
    rule(
        "bad_return",
        r"cannot return stack pointer to the caller",
        "The function returns the address of one of its own variables, which is gone after the return. Let the caller "
        "own the variable and pass its address down.",
    ),
    rule(
        "bad_return",
        r"(?:Note, )?BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value",
        "This LSM hook returns nothing to its caller, so the program can't change what it returns. Return 1.",
        "return 1;",
    ),
    # forbidden to a loader without CAP_PERFMON: leaking pointers, or using them where speculation could leak memory
    rule(
        "privilege",
        (
            r"@reg leaks addr",
            r"leaking pointer from stack off",
        ),
        "The program would hand a kernel address to user space, which needs privileges this loader does not have. "
        "Don't store pointers in maps or return them, or load with CAP_PERFMON.",
    ),
    rule(
        "privilege",
        (
            r"@reg pointer comparison prohibited",
            r"@reg partial copy of pointer",
            r"@reg sign-extension part of pointer",
            r"@reg pointer arithmetic prohibited$",
            r"attempt to corrupt spilled pointer on stack",
            r"spilled ptr in range of var-offset stack write",
        ),
        "The program takes a pointer apart or compares it, which would reveal a kernel address to an unprivileged "
        "loader. Work on what the pointer points at, or load with CAP_PERFMON.",
    ),
    rule(
        "privilege",
        (
            r"@reg has unknown scalar with mixed signed bounds",
            r"@reg has pointer with unsupported alu operation",
            r"@reg tried to \w+ (?:from different maps|beyond pointer bounds)",
            r"@reg could not be pushed for speculative verification",
        ),
        f"Only a privileged loader may do this pointer arithmetic. {_UNPRIVILEGED} Load with it, or "
        "calculate an unsigned index in one place, bound it, and add it once.",
    ),
    rule(
        "privilege",
        r".*prohibited for !root",
        f"Only a privileged loader may access the stack or a map at a variable offset here. "
        f"{_UNPRIVILEGED} Load with it, or use constant indices.",
    ),
    # arithmetic
    rule(
        "pointer_arith",
        (
            r"math between \w+ pointer and -?\d+ is not allowed",
            r"value -?\d+ makes \w+ pointer be out of bounds",
            r"\w+ pointer offset -?\d+ is not allowed",
        ),
        "The sum lies so far outside the object that the verifier gives up on the pointer. Keep offsets within the "
        "object; check index and size before adding.",
    ),
    rule(  # before 4.14
        "pointer_arith",
        (
            r"addition of negative constant to packet pointer is not allowed",
            r"cannot add integer value with \d+ upper zero bits to ptr_to_packet",
        ),
        "This old kernel allows only small unsigned numbers to be added to a packet pointer. Read the length into an "
        "unsigned variable of 8 or 16 bits, mask it, add it once, and compare with the packet's end afterwards.",
        "u16 length = header->length;\nvoid *next = start + (length & 0x7fff);\nif (next + sizeof(*next_header) > "
        "data_end)\n    return XDP_PASS;    // or TC_ACT_OK",
    ),
    rule(
        "pointer_arith",
        r"(?:dereference of modified|negative offset) @type ptr @reg off=(?P<off>-?\d+) disallowed",
        "This must be $type as the kernel gave it, and the program has moved it by $off. Pass or read the pointer "
        "unchanged, and reach the field by name.",
    ),
    rule(
        "pointer_arith",
        r"variable @type access var_off=",
        "This must be $type as the kernel gave it, and the program has moved it by a number that isn't constant. Pass "
        "the pointer unchanged.",
    ),
    rule(
        "pointer_arith",
        r"@reg (?:pointer \S+ pointer prohibited|tried to subtract pointer from scalar)",
        "Adding two pointers, or subtracting two of different objects, gives nothing that the verifier can check. Add "
        "a bounded number to one pointer.",
    ),
    rule(
        "pointer_arith",
        r"@reg (?:bitwise operator \S+ on pointer|pointer arithmetic with \S+ operator) prohibited",
        "Only adding and subtracting numbers is allowed on a pointer. Do the calculation on an index and add that to "
        "the pointer.",
        "$name += $index & (N - 1);",
    ),
    rule(
        "pointer_arith",
        r"@reg 32-bit pointer arithmetic prohibited",
        "The program calculates with the lower half of a pointer, which isn't a pointer any more. Keep pointers in "
        "64-bit variables (`void *`, `u64`), never in `int` or `u32`.",
    ),
    rule(
        "pointer_arith",
        r"@reg subtraction from stack pointer prohibited",
        "The program subtracts a variable number from an address on the stack. Count upwards from the array's start.",
        "char *at = buffer + $index;",
    ),
    rule(
        "pointer_arith",
        r"@reg pointer arithmetic on @type prohibited",
        "No arithmetic is allowed on $type. Use it as it is, or copy what it points at and calculate in the copy.",
    ),
    rule(
        "bad_instruction",
        r"frame pointer is read only",
        "The program changes R10, which always points at its stack frame. Copy R10 into another register and change "
        "that.",
        "r2 = r10;\nr2 += -8;",
    ),
    rule(
        "bad_instruction",
        r"R\d+ is invalid$",
        "An instruction names a register it can't use: there are R0 to R10. The program was damaged after it was "
        "compiled, or was made by hand.",
    ),
)
