"""Objects that a program must release, and those that the kernel manages inside map values: kptrs, timers, lists,
trees.
"""

from ebpftop.verifier.rules.model import rule


def _misplaced(field: str) -> tuple[str, ...]:
    """The messages about a field in a map's value that is absent or in the wrong place."""
    return (
        rf"map '[^']*' has to have BTF in order to use {field}",
        rf"map '[^']*' doesn't have 'struct {field}'",
        rf"map '[^']*' has more than one 'struct {field}'",
        rf"map '[^']*' is not a struct type or {field}",
        rf"(?:map|local) '[^']*' has no valid {field}",
        rf"@reg doesn't have constant offset\. {field}",
        rf"off -?\d+ doesn't point to 'struct {field}'",
    )


RULES = (
    # to be released
    rule(
        "unreleased_ref",
        r"(?:Unreleased|Leaking) reference id=\d+ alloc_insn=(?P<at>\d+)",
        "A path ends while the program still owns what instruction $at acquired: a reserved ring buffer record, a "
        "socket, a task. Submit or discard the record (or release the object) on every path, also before each early "
        "`return`.",
        "bpf_ringbuf_discard(event, 0);    // or what belongs to the call\nreturn 0;",
    ),
    rule(
        "unreleased_ref",
        (
            r"(?P<what>.+?) would lead to reference leak",
            r"(?P<what>BPF_LD_\[ABS\|IND\]) cannot be mixed with socket references",
        ),
        "This leaves the program ($what) while it still owns an object, which nothing could release afterwards. "
        "Release it first.",
    ),
    rule(
        "unreleased_ref",
        (
            r"release (?:kernel function|kfunc|helper) \S+ expects ref",
            r"@reg must be referenced when passed to release",
            r"arg \d+ is an unacquired ref",
        ),
        "The call releases an object, but gets one that the program doesn't own. Release only what an acquiring call "
        "returned, once, and not a pointer read from a field.",
    ),
    rule(
        "unreleased_ref",
        r"(?:func|kfunc) (?P<func>\S+?)#\d+ reference has not been acquired before",
        "`$func` releases what the program doesn't own (any more): it was released already, or never acquired. "
        "Release each object once, on each path.",
    ),
    rule(
        "unreleased_ref",
        r"more than one arg with ref_obj_id",
        "The call gets two objects that the program must release, but the verifier can track only one. Pass one of "
        "them here.",
    ),
    rule(
        "unreleased_ref",
        r"program with __ref argument cannot tail call",
        "The kernel passes an object that the program must release, and a tail call would lose it. Release it and "
        "return, without a tail call.",
    ),
    # fields of map values that only the kernel's functions may touch
    rule(
        "lock",
        (
            r"bpf_(?:res_)?spin_lock cannot be accessed directly by load/store",
            r"direct access to bpf_(?:res_)?spin_lock is",
        ),
        "The program reads or writes a lock itself; only the lock functions may. Don't copy or clear the whole value: "
        "assign its other fields one by one.",
    ),
    rule(
        "kptr",
        (
            r"\w+ cannot be accessed directly by load/store",
            r"direct access to \w+ is disallowed",
        ),
        "The program reads or writes a field that only the kernel's functions may touch. Don't copy or clear the "
        "whole value: assign its other fields one by one.",
    ),
    rule(
        "kptr",
        r"invalid kptr access, @reg type=@type expected=(?P<want>.+)",
        "The pointer that is stored is $type, but the field was declared for $want. Store a pointer of the declared "
        "type.",
    ),
    rule(
        "kptr",
        r"@reg must point to kernel BTF",
        "The field holds pointers to the kernel's own objects, and the pointer that is stored is to a type of the "
        "program. Store an object of the kernel's.",
    ),
    rule(
        "kptr",
        (
            r"kptr in map can only be accessed using",
            r"(?P<field>percpu_kptr|kptr|uptr) cannot be accessed indirectly by helper",
            r"(?P<field>percpu_kptr|kptr|uptr) access (?:cannot have variable offset|misaligned|size must be BPF_DW)",
        ),
        "A pointer kept in a map's value may be read and written only whole: 8 bytes, by a plain load or store at its "
        "own place. Don't copy the value with a helper; address the field by name.",
        "task = value->task;",
    ),
    rule(
        "kptr",
        (
            r"store to referenced kptr disallowed",
            r"store to uptr disallowed",
            r"BPF_ST imm must be 0 when storing to kptr",
        ),
        "A referenced pointer can't be assigned, since the old one would be lost. Exchange it, and release the old "
        "one.",
        "old = bpf_kptr_xchg(&value->task, task);\nif (old)\n    bpf_task_release(old);",
    ),
    rule(
        "kptr",
        (
            r"off=-?\d+ (?:doesn't point to kptr|kptr isn't referenced kptr)",
            r"@reg has no valid kptr",
            r"map '[^']*' has (?:no valid kptr|more than \d+ kptr|repeating kptr)",
        ),
        "`bpf_kptr_xchg` works on a field of the map's value that is declared as a referenced kernel pointer, and "
        "this isn't one. Declare it as one.",
        "struct value {\n    struct task_struct __kptr *task;\n};",
    ),
    rule(
        "lock",
        _misplaced(r"bpf_(?:res_)?spin_lock"),
        "A lock must be a field of the map's value, at a fixed place the kernel finds through BTF, and this isn't "
        "one. Declare the value as a struct with one lock and pass that field's address.",
        "struct value {\n    struct bpf_spin_lock lock;\n    u64 count;\n};\n/* ... */\nbpf_spin_lock(&value->lock);",
    ),
    rule(
        "kptr",
        _misplaced(r"(?:bpf_)?\w+"),
        "A field the kernel manages (timer, work queue, list, tree, kernel pointer) must be part of the map's value, "
        "at a fixed place the kernel finds through BTF. Declare the value as a struct with that field and pass the "
        "field's address.",
        "struct value {\n    struct bpf_timer timer;\n};\n/* ... */\nbpf_timer_init(&value->timer, &map, "
        "CLOCK_MONOTONIC);",
    ),
    rule(
        "kptr",
        r"(?P<what>socket filter|tracing|sleepable) progs cannot use (?P<field>\S+) yet",
        "The map's value holds a `$field`, which programs of this type ($what) can't use, even if they never touch "
        "it. Use a map without it.",
    ),
    rule(
        "unsupported",
        r"(?:bpf_timer|bpf_wq|bpf_\w+) cannot be used for PREEMPT_RT",
        "On a kernel with PREEMPT_RT programs can't use this. Do the work in user space, or use another kernel.",
    ),
    rule(
        "kptr",
        (
            r"allocated object must be referenced",
            r"@arg expected pointer to allocated object",
            r"@arg expected for bpf_\w*obj_drop",
            r"@arg is neither owning or non-owning ref",
            r"@arg doesn't point to a type with bpf_refcount",
        ),
        "This call takes an object from `bpf_obj_new` that the program owns. After adding it to a list or tree the "
        "program only borrows it: take it out again first.",
    ),
    rule(
        "kptr",
        (
            r"rbtree_remove (?:node input|not allowed)",
            r"\S+ (?:can only take non-owning|not allowed in rbtree cb)",
            r"operation on \S+ expects @arg",
            r"arg#\d+ offset=\d+, but expected",
            r"\S+ not found at offset=\d+",
            r"kfunc \S+ conversion of owning ref",
        ),
        "A node of a list or tree is used in a way its struct wasn't declared for, or where that isn't allowed. The "
        "head must name this struct and this node field, and a node is taken out only through its own tree, outside "
        "of the comparison.",
        "struct bpf_list_head head __contains(item, node);",
    ),
    rule(
        "kptr",
        r"\S+ cannot be used in tracing programs on types with NMI unsafe fields",
        "A tracing program may run inside an NMI, where this object can't be allocated or freed. Use it from another "
        "type of program.",
    ),
)
