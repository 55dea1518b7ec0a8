"""Complaints about pointers and what lies behind them."""

from ebpftop.verifier.rules.model import rule

RULES = (
    rule(
        "null_deref",
        r"R\d+ invalid mem access 'map_value_or_null'",
        "$pointer may be NULL here: a map lookup returns NULL when the key is absent, and nothing checked it. Check "
        "it between the lookup and the first use: `if (!$name) return 0;`.",
    ),
    rule(
        "null_deref",
        r"R\d+ invalid mem access '(?:ringbuf_mem|alloc_mem|mem)_or_null'",
        "$pointer may be NULL here: memory is not always to be had (a ring buffer can be full), and nothing checked "
        "it. Check it before the first use: `if (!$name) return 0;`, and count the loss.",
    ),
    rule(
        "null_deref",
        r"R\d+ invalid mem access '(?P<kind>\w+)_or_null",
        "$pointer may be NULL here ($kind), and nothing checked it. Check it before the first use: `if (!$name) "
        "return 0;`.",
    ),
    rule(
        "null_deref",
        r"R(?P<arg>[1-5]) type=\w+_or_null expected=",
        "Argument $arg of this helper may be NULL here, and the helper takes no NULL. Check the pointer before the "
        "call: `if (!p) return 0;`.",
    ),
    rule(
        "null_deref",
        r"(?:R\d+ )?pointer arithmetic on \w+_or_null prohibited",
        "The program calculates with a pointer that may still be NULL; afterwards a check for NULL would prove "
        "nothing. Check the pointer first, then add to it.",
    ),
    rule(
        "null_deref",
        r"Possibly NULL pointer passed to",
        "A pointer that may be NULL goes into a function that takes no NULL. Check it before the call: `if (!p) "
        "return 0;`.",
    ),
    rule(
        "invalid_mem_access",
        r"R\d+ invalid mem access '(?:scalar|inv)'",
        "The verifier knows this value only as a number, not as a pointer to memory it may let the program read. "
        "Addresses of kernel or user memory are such numbers. Read through a helper: `bpf_probe_read_kernel(&value, "
        "sizeof(value), &p->field)`, or `bpf_probe_read_user` for a process's memory. BCC inserts that by itself only"
        " for plain `p->field` in the main text: not in macros, not in headers.",
    ),
    rule(
        "invalid_mem_access",
        r"R\d+ invalid mem access '(?P<kind>(?:untrusted_|rcu_|percpu_)?ptr_\w*)'",
        "This kernel object can't be read directly here: the verifier doesn't trust that the pointer ($kind) is still"
        " valid. Read the field with `bpf_probe_read_kernel`.",
    ),
    rule(
        "invalid_mem_access",
        r"R\d+ invalid mem access '(?P<kind>\w+)'",
        "The program reads or writes through a value of kind `$kind`, which is no memory it may touch. Follow the "
        "register back in the log to where it got that value, and keep the pointer you meant in a variable of its "
        "own.",
    ),
    rule(
        "oob_map_value",
        r"invalid access to map value, value_size=(?P<size>\d+) off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The access reaches outside of the map's value: $width bytes at offset $off, and a value has $size bytes. "
        "Bound the index just before the access (`if (i >= N) return 0;` with an unsigned `i`, or `i &= N - 1`), or "
        "enlarge the value.",
    ),
    rule(
        "oob_mem",
        r"invalid access to map key, key_size=(?P<size>\d+) off=(?P<off>-?\d+)",
        "The access at offset $off reaches outside of the map's key, which has $size bytes. Bound the index, or use "
        "the map's own key type.",
    ),
    rule(
        "oob_mem",
        r"invalid access to memory, mem_size=(?P<size>\d+) off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The access reaches outside of its memory: $width bytes at offset $off, and it has $size bytes. Reserve or "
        "pass as many bytes as are written: usually `sizeof` of the whole struct.",
    ),
    rule(
        "oob_packet",
        r"invalid access to packet",
        "The program reads beyond the part of the packet it has checked. Compare with the packet's end first: `if "
        "(data + size > data_end) return …;`, and access only what that covers.",
    ),
    rule(
        "btf",
        r"access beyond struct (?P<type>\w+) at off (?P<off>\d+)",
        "Offset $off lies behind the end of `struct $type` on this kernel. The struct differs between kernels or the "
        "cast is wrong: take its definition from the running kernel's BTF.",
    ),
    rule(
        "unbounded_access",
        r"R\d+ unbounded memory access, make sure to bounds check",
        "The index may have any value here as far as the verifier can tell, so the access may land anywhere. Bound it"
        " just before the access: `if (i >= N) return 0;` with an unsigned `i`, or `i &= N - 1` for a power of two.",
    ),
    rule(
        "unbounded_access",
        r"R\d+ min value is negative, either use unsigned index",
        "The index may be negative as far as the verifier can tell. Make it unsigned, or test `i >= 0` as well as the"
        " upper bound.",
    ),
    rule(
        "oob_map_value",
        r"R\d+ (?:min|max) value is outside of the (?:allowed memory range|array range)",
        "The smallest or largest value the index may have lies outside of the memory it points into. Tighten the "
        "check before the access, so that offset and size together stay inside.",
    ),
    rule(
        "unbounded_access",
        r"math between (?P<kind>\w+) pointer and register with unbounded min value",
        "The program adds a number to a $kind pointer that may be negative or arbitrarily large as far as the "
        "verifier can tell. Bound the index before using it: an unsigned `i` with `if (i >= N) return 0;`, or `i &= N"
        " - 1` for a power of two.",
    ),
    rule(
        "pointer_arith",
        r"math between \w+ pointer and -?\d+ is not allowed|value -?\d+ makes \w+ pointer be out of bounds",
        "The sum lies so far outside that the verifier gives up the pointer. Keep offsets within the object; check "
        "index and size before adding.",
    ),
    rule(
        "invalid_mem_access",
        r"(?:write into map forbidden|cannot write into (?:rdonly|map))",
        "The program writes to memory that it may only read. Copy the value into a variable, or drop the map's read-"
        "only flag.",
    ),
    rule(
        "invalid_mem_access",
        r"only read is supported",
        "The program writes to a kernel object; tracing programs may only read them. Keep what you want to remember "
        "in a map.",
    ),
    rule(
        "ctx_access",
        r"dereference of modified ctx ptr|variable ctx access|ctx access var_off=",
        "The program reads its context through a pointer it has moved; the context may be read only at fixed offsets "
        "from its start. Read `ctx->field` or `ctx->args[constant]` directly, not through a calculated pointer or in "
        "a loop with a variable index.",
    ),
    rule(
        "ctx_access",
        r"invalid bpf_context access off=-?\d+ size=\d+",
        "The program writes to its context, which is only to be read. Copy what you want to change into a variable of"
        " your own.",
        at=r"\([0-9a-f]{2}\) \*\(",
    ),
    rule(
        "ctx_access",
        r"invalid bpf_context access off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The context of this type of program has no field of $width bytes at offset $off. Check the type of the "
        "function's first parameter, and how many arguments this attach point has.",
    ),
    rule(
        "ctx_access",
        r"func '?(?P<func>\w+)'? doesn't have (?P<nth>\S+) argument",
        "The kernel's `$func` has fewer arguments than the program reads. Compare with the function's prototype in "
        "the running kernel's BTF.",
    ),
    rule(
        "stack_too_large",
        r"combined stack size of \d+ calls is|tail_calls are not allowed when call stack",
        "All functions on one call path share 512 bytes of stack, and these need more. Move buffers into a per-CPU "
        "array map, or reserve them in a ring buffer.",
    ),
    rule(
        "stack_too_large",
        r"the call stack of (?P<frames>\d+) frames is too deep",
        "Functions call each other $frames deep; eight is the limit. Inline some of them (`static inline "
        "__attribute__((always_inline))`).",
    ),
    rule(
        "uninitialised_stack",
        r"invalid (?:indirect )?(?:read from|access to) stack (?:R\d+ )?off -?\d+\+-?\d+ size"
        r"|invalid indirect read from stack",
        "Some of these bytes of the stack were never written. Often it is the padding between the members of a "
        "struct. Set the whole variable to zero where it is declared (`struct key key = {};`), then fill in the "
        "members.",
    ),
    rule(
        "oob_stack",
        r"invalid unbounded variable-offset|invalid variable-offset|variable stack (?:access|read)",
        "An array on the stack is accessed at an index the verifier can't bound. Bound the index just before the "
        "access (`i &= N - 1`), or keep the array in a map.",
    ),
    rule(
        "oob_stack",
        r"invalid (?:write to |read from |access to )?stack.* off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The access at offset $off lies outside of the stack: 512 bytes below the frame pointer, nothing above it. "
        "Make large variables smaller or move them into a per-CPU array map; check indices into arrays on the stack.",
    ),
    rule(
        "misaligned",
        r"misaligned .*access",
        "The access is not aligned to its own size. Let the compiler lay out the struct (no packing, no casts to "
        "wider types), or copy bytes with a helper.",
    ),
    rule(
        "invalid_mem_access",
        r"corrupted? spill|corrupt spilled pointer|invalid size of register",
        "Part of a pointer that was put on the stack was overwritten or read in pieces. Don't copy pointers byte by "
        "byte, and don't overlay them with other data in a union.",
    ),
    rule(
        "bad_instruction",
        r"frame pointer is read only",
        "The program changes R10, which always points at its stack frame. Copy R10 into another register and change "
        "that.",
    ),
)
