"""Kernel functions (kfuncs): which may be called, and what arguments they take. Messages up to 7.0 count arguments
from 0; 7.2 names them by register.
"""

from ebpftop.verifier.rules.model import rule

RULES = (
    # which may be called
    rule(
        "unknown_func",
        r"calling kernel function (?P<func>\S+) is not allowed",
        "Programs of this type may not call the kernel function `$func`. Each program type has its own list of kernel "
        "functions: use another one, or attach in another way.",
    ),
    rule(
        "unknown_func",
        (
            r"cannot find (?:address for kernel )?function (?P<func>\S+)",
            r"failed to find BTF for kernel function",
            r"kernel (?:function )?btf_id \d+ (?:is not a function|does not have)",
            r"invalid kernel function btf_id",
        ),
        "This kernel has no such function for programs: it is older or built without it, or the module that has it "
        "isn't loaded. Declare it weak and test for it before calling.",
        "extern void bpf_rcu_read_lock(void) __ksym __weak;\n/* ... */\nif (bpf_ksym_exists(bpf_rcu_read_lock))\n    "
        "bpf_rcu_read_lock();",
    ),
    rule(
        "unknown_func",
        r"metadata kfuncs (?:require device-bound program|can't be offloaded)",
        "Functions that read a network card's metadata work only in a program that is loaded for that card. Load it "
        "with `BPF_F_XDP_DEV_BOUND_ONLY` and the interface's index.",
    ),
    rule(
        "unknown_func",
        r"invalid kernel function call not eliminated in verifier pass",
        "The program calls a kernel function that this kernel doesn't have, on a path that can be reached. Test for "
        "it before calling.",
        "if (bpf_ksym_exists(func))\n    func();",
    ),
    rule(
        "unsupported",
        (
            r"too many different (?:kernel function calls|module BTFs)",
            r"The total number of btfs per program",
        ),
        "The program calls more different kernel functions, or functions of more modules, than one program may. Split "
        "it.",
    ),
    rule(
        "unsupported",
        (
            r"JIT (?:is required for|does not support) calling k",
            r"JIT does not support kfunc",
            r"calling kernel functions? (?:is|are) not (?:supported|allowed)",
            r"address of kernel func\S* \S+ is out of range",
        ),
        "Programs can call kernel functions only on a kernel with BTF (CONFIG_DEBUG_INFO_BTF) and a just-in-time "
        "compiler that supports such calls and is switched on (`sysctl net.core.bpf_jit_enable=1`). Use helpers "
        "instead.",
    ),
    rule(
        "btf",
        (
            r"invalid module BTF ",
            r"BTF fd for kfunc",
            r"kfunc offset > 0 without fd_array",
            r"negative offset disallowed for kernel module",
            r"function name \S+ is too long",
            r"kfunc \S+ has inconsistent KF_IMPLICIT_ARGS",
        ),
        "The loader named a kernel function of a module in a way the kernel doesn't accept. Use a newer libbpf, and "
        "load the module before the program.",
    ),
    rule(
        "privilege",
        r"destructive kfunc calls require CAP_SYS_BOOT",
        "The program calls a function that can bring the machine down (such as `crash_kexec`), and the loader lacks "
        "CAP_SYS_BOOT. Load as root.",
    ),
    # what they take
    rule(
        "kfunc_arg",
        r"@arg expected pointer to ctx, but got \S+",
        "Argument $nth of $call must be the program's own context. Pass `ctx` on as the program received it.",
    ),
    rule(
        "kfunc_arg",
        r"@arg must be (?:referenced or trusted|referenced|a rcu pointer)$",
        "Argument $nth of $call must be an object that the verifier trusts to be alive: one that the kernel passed to "
        "the program, or one that was acquired. A pointer read from a field isn't trusted. Acquire it first, or read "
        "it inside an RCU section.",
        "bpf_rcu_read_lock();\n/* ... */\nbpf_rcu_read_unlock();",
    ),
    rule(
        "kfunc_arg",
        r"@arg (?:must be a known constant|is not a const$)",
        "Argument $nth of $call must be a constant the verifier can see. Use a literal or `sizeof`.",
    ),
    rule(
        "kfunc_arg",
        r"kernel function (?P<func>\S+) @arg expected pointer to (?P<want>\w+ \S+)",
        "Argument $nth of `$func` must be a pointer to `$want`, but points to something else. Pass that object, or "
        "reach it from this one by a field.",
    ),
    rule(
        "kfunc_arg",
        r"kernel function (?P<func>\S+) @arg pointer type .* is not supported",
        "Argument $nth of `$func` is of a type that programs can't pass. Use another function.",
    ),
    rule(
        "kfunc_arg",
        (
            r"@arg pointer type \w* ?\S+ must (?:point to|be valid)",
            r"@arg pointer type .* not to stack",
            r"@arg arg#\d+ memory, len pair",
            r"@arg and (?:R\d+|\*\(R11-\d+\)) memory, len pair",
        ),
        "Argument $nth of $call must be initialised memory that the program owns, as long as the length that is "
        "passed. Pass the address of a variable and its `sizeof`.",
    ),
    rule(
        "kfunc_arg",
        r"@reg is not a scalar$",
        "Argument $nth of $call must be a number, but gets a pointer. Pass the value it points at.",
    ),
    rule(
        "kfunc_arg",
        (
            r"Unrecognized @arg type",
            r"reg type unsupported for @arg kernel function",
            r"2 or more rdonly/rdwr_buf_size",
            r"Function \S+ has \d+ > \d+ args",
            r"kernel function \S+ returns pointer type",
            r"kernel function \S+ unhandled dynamic",
            r"acquire kernel function does not return",
        ),
        "The verifier can't handle an argument or the return value of $call. Use another function, or pass the value "
        "through memory.",
    ),
    rule(
        "kfunc_arg",
        r"max struct nesting depth exceeded",
        "The struct that is passed to $call nests others deeper than the verifier looks. Pass a flatter struct.",
    ),
    rule(
        "kfunc_arg",
        r"@arg (?:rdonly/rdwr_buf_size exceeds u32 max|prog->aux cannot be a stack argument)",
        "Argument $nth of $call can't be passed like this: it is a constant beyond its range, or lies on the stack. "
        "Pass a smaller constant, among the first five arguments.",
    ),
    rule(
        "kfunc_arg",
        r"@arg is @type expected (?P<want>.+?) or socket",
        "Argument $nth of $call must be $want, but is $type. Pass the object the kernel handed to the program.",
    ),
    rule(
        "kfunc_arg",
        r"@arg doesn't point to a const string",
        "Argument $nth of $call must be a constant string: in read-only memory, with a zero at its end. Declare it so "
        "at the top of the file.",
        'static const char name[] = "value";',
    ),
    rule(
        "kptr",
        (
            r"arg#0 expected pointer to map value$",
            r"arg#0 must have constant offset",
            r"arg#0 no referenced kptr",
            r"arg#0 BTF type must be a double",
        ),
        "`bpf_kptr_get` takes the address of a pointer kept in a map's value and declared as a referenced kernel "
        "pointer. Pass that field's address.",
        "task = bpf_task_kptr_get(&value->task);",
    ),
    rule(
        "kfunc_arg",
        r"@arg (?:doesn't point to (?:a )?map value|expected pointer to map value or allocated)",
        "Argument $nth of $call must lie in a map's value (or in an object from `bpf_obj_new`). Look the value up and "
        "pass the address of its field.",
        "value = bpf_map_lookup_elem(&map, &key);\nif (!value)\n    return 0;",
    ),
    rule(
        "kfunc_arg",
        r"@arg expected pointer to func",
        "Argument $nth of $call must be a function of this program. Pass the name of a static function.",
    ),
    rule(
        "kfunc_arg",
        r"pointer in @arg isn't map pointer",
        "Argument $nth of $call must be a map. Pass the address of the map itself.",
    ),
    rule(
        "kfunc_arg",
        (
            r"local type ID argument",
            r"bpf_obj_new(?:/bpf_percpu_obj_new)? (?:requires|type)",
            r"bpf_percpu_obj_new type",
            r"kfunc bpf_rdonly_cast type ID",
            r"Unknown type ID \d+ passed to kfunc",
        ),
        "The function creates or casts to a type of this program, but doesn't accept this one. Use a struct from the "
        "program's BTF; for a per-CPU object, one of plain numbers only, no larger than 512 bytes.",
    ),
    rule(
        "kfunc_arg",
        r"kfunc \S+ failed callback verification",
        "The callback passed here was rejected; the log says why further up. Look at its code first.",
    ),
    rule(
        "kfunc_arg",
        r"unexpected __bpf_trap\(\) due to uninitialized variable",
        "The compiler saw that this path uses a variable that was never set, and put a trap there. Initialise the "
        "variable where it is declared; the compiler's warnings name it.",
        "u64 value = 0;",
    ),
)
