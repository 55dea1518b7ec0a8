"""Rejections that aren't about an instruction: licence, capabilities, attach points, features that this kernel or its
JIT compiler lacks; and the verifier's internal errors.
"""

from ebpftop.verifier.rules.model import rule

_LICENCE = 'char LICENSE[] SEC("license") = "Dual MIT/GPL";'

RULES = (
    # licence and capabilities
    rule(
        "privilege",
        (
            r"cannot call (?:GPL-restricted|kernel) function from non-GPL",
            r"cannot call GPL only function from proprietary",
            r"(?P<what>LSM|struct ops) programs must have a GPL",
            r"Cannot access kernel 'struct (?P<struct>\S+)' from non-GPL",
        ),
        "What the program uses is only for programs that declare a licence compatible with the GPL. Declare one (BCC "
        "does so by default).",
        _LICENCE,
    ),
    rule(
        "privilege",
        (
            r"(?:'struct )?(?P<what>[\w ']+) access is allowed only to CAP_PERFMON",
            r"loading/calling other bpf or kernel functions",
            r"function calls to other bpf functions are allowed for",
            r"CAP_BPF and CAP_PERFMON are required",
        ),
        "This needs privileges the loader does not have. Load as root, or with CAP_BPF and CAP_PERFMON.",
    ),
    # where the program attaches
    rule(
        "unsupported",
        (
            r"(?P<func>\S+)\(\) is not modifiable",
            r"can't modify return codes of BPF programs",
        ),
        "An fmod_ret program may change the result only of functions that the kernel marks for that (error injection, "
        "LSM hooks), and this isn't one. Use fexit, which only observes.",
    ),
    rule(
        "unsupported",
        (
            r"The address of function (?P<func>\S+) cannot be found",
            r"Subprog (?P<sub>\S+) doesn't exist",
            r"attach_btf_id \d+ is (?:invalid|not a (?:function|typedef|supported struct))",
            r"attach_btf_id \d+ (?:doesn't have a name|points to)",
            r"struct_ops module",
        ),
        "The function, hook or struct to attach to does not exist on this kernel, or can't be attached to: it may be "
        "inlined, static or named otherwise. Look for it in `/sys/kernel/tracing/available_filter_functions`.",
    ),
    rule(
        "unsupported",
        r"attach to (?:invalid|unsupported) member (?P<member>\S+)",
        "This kernel's struct of operations has no such function, or doesn't accept a program for it. Leave it out, "
        "or use a newer kernel.",
    ),
    rule(
        "unsupported",
        (
            r"Attach to function (?P<func>\S+) with a >8 byte return",
            r"Attaching \S+ to __noreturn function",
            r"Attaching tracing programs to function",
        ),
        "The kernel doesn't let a program be attached to this function in this way: it never returns, returns more "
        "than 8 bytes, or is on the list of unsafe functions. Attach to its caller, or use fentry or a kprobe.",
    ),
    rule(
        "unsupported",
        (
            r"Tracing programs? (?:must provide btf_id|can only be attached)",
            r"(?:FENTRY/FEXIT program|Only FENTRY/FEXIT\S*) ",
            r"Cannot (?:replace (?:static|kernel) functions|recursively attach|extend fentry|nest tracing program)",
            r"Can attach to only JITed",
            r"Extension program(?:s should be JITed| changes packet data)",
            r"\w+ programs cannot attach to exception",
            r"Target program bound device",
            r".{0,40}\(\) (?:is not a global function|has \d+ args while)",
            r"Return type \S+ of \S+\(\) doesn't match",
            r"arg\d+ in \S+\(\) ",
            r"arg\d+ \S+\(struct ",
        ),
        "The program attaches to another BPF program, or replaces one of its functions, and the two don't fit. That "
        "function must be global, JIT-compiled, with the same prototype, and not itself such a program.",
    ),
    # what this kernel lacks
    rule(
        "unsupported",
        (
            r"map_ptr access not supported without CONFIG",
            r"JIT (?:is required to use|doesn't support) arena",
            r"bpf_refcount_acquire calls are disabled",
            r"Private stack not supported",
            r"JIT does not support fsession",
            r"(?:adding tail call poke|tracking tail call prog) ",
        ),
        "This kernel, as it was built, or its JIT compiler doesn't support that. Use a newer kernel, or a program "
        "that doesn't need it.",
    ),
    rule(
        "unsupported",
        (
            r"Only one arena per program",
            r"arena's user address must be set",
        ),
        "A program may use one arena, and its address in user space must be fixed before loading. Set `map_extra`, or "
        "map it first.",
    ),
    rule(
        "unsupported",
        (
            r"Invalid (?:attr|map_(?:extra|name|type)|numa_node|excl_prog_hash_size)\.",
            r"Failed to properly initialize insn array",
        ),
        "The map can't be created like this: this kernel doesn't know a number or flag for this type of map. Compare "
        "type, sizes and flags with those in the kernel's headers.",
    ),
    # the verifier's internal errors
    rule(
        "other",
        (
            r"verifier (?:internal error|bug|BUG)\b",
            r"BUG (?:regs|spi|subprog|stack slots|backtrac\w+|\w+:branches_to_explore|live_done)",
            r"bug: bad parent state",
            r"BUG: in callback",
            r"map type \d+ is misconfigured",
            r"invalid map_ptr to access map->",
            r"func \S+ has non-overwritten",
            r"(?:invalid|unknown) return type \d+ of func",
            r"Failed to acquire lock state",
            r"failed to mark s32 range",
            r"Verifier bug",
            r"bpf verifier ",
            r"kernel subsystem misconfigured",
            r"insn state internal bug",
            r"visit_insn internal bug",
            r"pop stack internal bug",
            r"\S+ has non-overwritten BPF_PTR_POISON",
            r"allocated_stack too small",
        ),
        "The verifier contradicts itself here: that is a bug in this kernel, not in the program. Try another kernel, "
        "or write the line differently; a report to bpf@vger.kernel.org helps.",
    ),
)
