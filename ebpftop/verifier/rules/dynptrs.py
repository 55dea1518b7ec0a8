"""Dynamic pointers and iterators: objects on the stack that only their own functions may touch."""

from ebpftop.verifier.rules.model import rule

_ITERATE = "bpf_for(i, 0, n) {\n    /* ... */\n}"

RULES = (
    rule(
        "dynptr",
        (
            r"Expected an initialized dynptr",
            r"@arg pointer type .* points to unsupported dynamic pointer",
        ),
        "The call takes a dynptr that was made before, and this isn't one on this path: it was never made, has been "
        "released, or was written over. Make it first and keep it to itself on the stack.",
        "struct bpf_dynptr ptr;\nbpf_dynptr_from_mem(value->data, sizeof(value->data), 0, &ptr);",
    ),
    rule(
        "dynptr",
        r"Expected a dynptr of type (?P<want>\S+) as",
        "The call takes a dynptr over `$want` memory, and gets one over another kind. Make it with the function for "
        "that kind.",
    ),
    rule(
        "dynptr",
        r"Dynptr has to be an uninitialized dynptr",
        "The call makes a new dynptr, and the variable holds one already. Use a variable for each, or release the old "
        "one first.",
    ),
    rule(
        "dynptr",
        (
            r"cannot overwrite referenced dynptr",
            r"potential write to dynptr",
        ),
        "The program would write over a dynptr that still has to be given back. Submit or discard it first, and don't "
        "let another variable or an array overlap it.",
        "bpf_ringbuf_discard_dynptr(&ptr, 0);",
    ),
    rule(
        "dynptr",
        (
            r"cannot (?:pass pointer to const bpf_dynptr|release unowned const bpf_dynptr)",
            r"CONST_PTR_TO_DYNPTR cannot be released",
        ),
        "This dynptr was lent to the program by its caller, so the program may neither change nor release it. Clone "
        "it and change the clone.",
        "struct bpf_dynptr copy;\nbpf_dynptr_clone(ptr, &copy);",
    ),
    rule(
        "dynptr",
        (
            r"@arg expected pointer to stack or (?:const struct bpf_dynptr|dynptr_ptr)",
            r"cannot pass in dynptr at",
            r"dynptr has to be at a constant offset",
        ),
        "A dynptr must be a variable on the stack, passed by its own address: not a map's field, not a pointer into "
        "its middle. Declare it in this function.",
        "struct bpf_dynptr ptr;",
    ),
    rule(
        "iterator",
        r"cannot pass in iter\w* at an offset=(?P<off>-?\d+); expected uninitialized iter_(?P<what>\w+) as",
        "The call wants a variable of type `iter_$what` on the stack which isn't in use, passed by its own address, "
        "and gets what isn't one (offset $off). Declare a `struct bpf_iter_$what` in this function and pass `&it`. "
        "Where the program is right, this kernel's version of the function, or of a module's, takes it otherwise.",
        "struct bpf_iter_$what it;\nbpf_iter_${what}_new(&it);",
    ),
    rule(
        "iterator",
        (
            r"@arg expected pointer to an iterator on stack",
            r"expected valid iter pointer as",
            r"cannot pass in iter\w* at",
            r"iter\w* has to be at a constant offset",
        ),
        "An iterator must be a variable on the stack, of the type that belongs to these functions, passed by its own "
        "address. Declare it in this function, or let the macro do it.",
        _ITERATE,
    ),
    rule(
        "iterator",
        r"expected uninitialized iter_(?P<what>\w+) as",
        "The program begins an iteration with an iterator that is in use already. End it first, or use a second one.",
        "bpf_iter_${what}_destroy(&it);",
    ),
    rule(
        "iterator",
        r"expected an initialized iter_(?P<what>\w+) as",
        "The iterator was not begun on this path, or has been ended. Begin it before the loop and end it once behind "
        "the loop; the macros do both.",
        _ITERATE,
    ),
    rule(
        "iterator",
        r"expected an RCU CS when using (?P<func>\S+)",
        "`$func` walks a list that others change meanwhile, so it needs an RCU section. Begin one before the "
        "iteration and end it behind.",
        "bpf_rcu_read_lock();\n/* ... */\nbpf_rcu_read_unlock();",
    ),
    rule(
        "iterator",
        r"css_task_iter is only allowed in",
        "Tasks of a cgroup can be walked only in LSM and iterator programs, and in those that may sleep. Load as one "
        "of them.",
        'SEC("iter.s/cgroup")',
    ),
    rule(
        "irq",
        (
            r"expected (?:an )?(?:un)?initialized irq flag",
            r"@arg doesn't point to an irq flag on stack",
            r"cannot pass in irq.flag",
            r"irq.flag has to be",
        ),
        "The interrupt state is kept in a variable on the stack: saved once, restored once, passed by its own "
        "address. Use one variable for each pair.",
        "unsigned long flags;\nbpf_local_irq_save(&flags);\n/* ... */\nbpf_local_irq_restore(&flags);",
    ),
    rule(
        "irq",
        (
            r"irq flag acquired by",
            r"cannot restore irq state out of order",
        ),
        "Interrupt states must be restored in the reverse order of saving, each by the function that belongs to the "
        "one that saved it. Pair them like brackets.",
        "bpf_local_irq_save(&outer);\nbpf_local_irq_save(&inner);\n/* ... "
        "*/\nbpf_local_irq_restore(&inner);\nbpf_local_irq_restore(&outer);",
    ),
)
