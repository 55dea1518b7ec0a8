"""Helpers: which ones exist, which program types may call them, and what arguments they take."""

from ebpftop.verifier.rules.model import rule

_COPY = "bpf_probe_read_kernel(&copy, sizeof(copy), $name);    // then pass &copy"
_TAIL_CALL = "bpf_tail_call(ctx, &programs, index);"
_NO_PROGRAMS = (
    "A tail call goes through an array of programs, and the map given here is of another type. Declare it with the "
    "type BPF_MAP_TYPE_PROG_ARRAY (in BCC: `BPF_PROG_ARRAY(programs, N)`)."
)

RULES = (
    # which helpers exist
    rule(
        "unknown_func",
        r"invalid func unknown#(?!195896080\b|200[12]\d{6}\b)(?P<id>\d+)",
        "The program calls helper number $id, which this kernel does not have: it is older than the helper, or the "
        "number is wrong. Use a helper that this kernel offers, or make a variant of the program for older kernels.",
    ),
    rule(
        "unknown_func",
        r"(?:program of this type cannot use helper|unknown func|invalid func) (?P<func>\w+)#\d+",
        "Programs of this type may not call `$func`, or this kernel doesn't offer it to them. Each program type has "
        "its own list of helpers: use another one, or attach in another way.",
    ),
    rule(
        "unknown_func",
        r"func (?P<func>\w+)#\d+ (?:supported only for (?P<only>\S+) programs|not supported for program type)",
        "`$func` works only in some types of programs (fentry, fexit and fmod_ret, for a function's arguments and "
        "return value), and this one has another type. Attach in another way, or read the arguments from `ctx`.",
    ),
    rule(
        "unknown_func",
        r"helper call is not allowed in probe",
        "This helper (`bpf_d_path` and a few others) may be called only from a short list of kernel functions, and "
        "the program is attached to another. Read the names from the dentries yourself, or attach to one on the list.",
    ),
    rule(
        "unknown_func",
        r"helper access to the packet is not allowed",
        "Programs of this type may not pass a pointer into the packet to a helper. Copy the bytes to the stack first.",
        "bpf_skb_load_bytes(ctx, offset, &copy, sizeof(copy));",
    ),
    # maps
    rule(
        "map_type",
        r"cannot pass map_type (?P<map_type>\d+) into func (?P<func>\w+)",
        "`$func` does not work on a map of type $map_type. Declare the map with the type the helper needs, or use the "
        "operation that belongs to the map.",
    ),
    rule(
        "map_type",
        (
            r"invalid arg_type for sockmap/sockhash",
            r"cannot update sockmap in this context",
        ),
        "A map of sockets may be changed from programs only where the kernel holds the socket's lock: not here. "
        "Update it from user space, or from a sock_ops or socket iterator program.",
    ),
    rule(
        "map_type",
        r"no direct value access support for this map type",
        "The address of a value inside this type of map can't be taken; that works for arrays only. Look the value up.",
        "value = bpf_map_lookup_elem(&map, &key);\nif (!value)\n    return 0;",
    ),
    rule(
        "map_type",
        r"callback function not allowed for map",
        "`bpf_for_each_map_elem` doesn't walk this type of map. Use a hash or array map.",
    ),
    rule(
        "map_type",
        r"map_ptr access not supported for map type (?P<map_type>\d+)",
        "The fields of a map of type $map_type can't be read by a program. Pass what you need as a constant or in "
        "another map.",
    ),
    rule(
        "map_type",
        r"tail_call abusing map_ptr",
        "A tail call goes through one known array of programs; here it may be one of several maps, or none. Use a map "
        "of type BPF_MAP_TYPE_PROG_ARRAY, the same on every path.",
        _TAIL_CALL,
    ),
    rule("map_type", r"expected prog array map for tail call", _NO_PROGRAMS, _TAIL_CALL),
    # the message of older kernels; at other calls it is an internal error of the verifier
    rule("map_type", r"kernel subsystem misconfigured verifier", _NO_PROGRAMS, _TAIL_CALL, at=r"call bpf_tail_call#"),
    rule(
        "map_type",
        r"only one cgroup storage of each type is allowed",
        "A program may use one cgroup storage map of each type (shared, per CPU). Put all fields into the value of "
        "one.",
    ),
    rule(
        "map_type",
        r"get_local_storage\(\) doesn't support non-zero flags",
        "`bpf_get_local_storage` has no flags on this kernel. Pass 0.",
        "bpf_get_local_storage(&map, 0);",
    ),
    rule(
        "map_type",
        r"bpf_struct_ops map cannot be used in prog",
        "A struct_ops map registers functions with the kernel; programs can't read it. Keep data in another map.",
    ),
    rule(
        "map_type",
        r"Sleepable programs can only use",
        "A program that may sleep can't use this type of map: its entries could be freed while the program sleeps. "
        "Use an array, hash, ring buffer or local storage map.",
    ),
    rule(
        "map_type",
        r"(?:perf_event|trace type) programs (?:can only use preallocated|with run-time allocated)",
        "On this kernel a tracing program may use only hash maps whose entries are preallocated, since allocating "
        "inside a probe isn't safe. Leave out the flag BPF_F_NO_PREALLOC.",
    ),
    rule(
        "bad_map_fd",
        (
            r"fd -?\d+ is not pointing to valid bpf_map",
            r"fd_idx without fd_array is invalid",
            r"Invalid map_token_fd",
        ),
        "The program refers to a map by a file descriptor that isn't a map: it was closed before loading, or creating "
        "the map failed. Create all maps first and keep them open until the program is loaded.",
    ),
    rule(
        "bad_map_fd",
        (
            r"program's hash doesn't match map's excl_prog_hash",
            r"offload device mismatch between prog and map",
        ),
        "The map belongs to a different program or device. Create it for this program.",
    ),
    rule(
        "helper_arg_type",
        r"(?P<what>timer|workqueue|bpf_task_work) pointer in R\d+ map_uid=\d+ doesn't match map pointer in R\d+",
        "The $what lies in a value of a different map (or inner map) than the one passed with it. Pass the map that "
        "the value was looked up in.",
    ),
    # what they take
    rule(
        "helper_arg_type",
        r"@reg type=@type expected=ctx$",
        "Argument $nth of $call must be the program's own context, but gets $type. Pass `ctx` on as the program "
        "received it.",
    ),
    rule(
        "helper_arg_type",
        r"@reg type=(?:scalar|inv|imm) expected=map_ptr$",
        "Argument $nth of $call must be a map, but gets a plain number. If the source passes a map's address and "
        "the log shows a constant (`r1 = 0x0`), the loader didn't create the map, because it doesn't know how it is "
        "declared: use one that does (iproute2 built with libbpf for maps in `.maps`). Otherwise pass the address "
        "itself: a variable can't choose a map, except one looked up in a map of maps.",
    ),
    rule(
        "helper_arg_type",
        r"@reg type=@type expected=map_ptr$",
        "Argument $nth of $call must be a map, but gets $type. Pass the address of the map itself: maps can't be "
        "chosen at run time from a variable, except inner maps looked up in a map of maps.",
    ),
    rule(
        "helper_arg_type",
        r"@reg type=@type expected=fp$",
        "Argument $nth of $call must be the address of a variable on the stack, but gets $type. Declare the variable "
        "in this function and pass its address.",
    ),
    rule(
        "helper_arg_type",
        r"@reg type=@type expected=func$",
        "Argument $nth of $call must be a function of this program, but gets $type. Pass the name of a static "
        "function.",
        "static long step(u64 index, void *ctx)\n{\n    return 0;    // 1 ends the loop\n}",
    ),
    rule(
        "helper_arg_type",
        r"@reg type=@type expected=scalar$",
        "Argument $nth of $call must be a number, but gets $type. Pass the value it points at.",
    ),
    rule(
        "helper_arg_type",
        r"@reg type=(?:scalar|inv) expected=fp,",
        "Argument $nth of $call must be a pointer to memory the program owns, but gets a plain number, as every "
        "address read from the kernel is. Copy the data into a variable on the stack and pass the address of that.",
        _COPY,
    ),
    rule(
        "helper_arg_type",
        r"@reg type=@type expected=fp,",
        "Argument $nth of $call must be a pointer to memory the program owns (stack, map value, ring buffer record), "
        "but gets $type. Copy the data into a variable on the stack and pass the address of that.",
        _COPY,
    ),
    rule(
        "helper_arg_type",
        r"@reg type=(?:scalar|inv) expected=(?P<types>.+)",
        "Argument $nth of $call gets a plain number; it takes $types. Pass the pointer as the kernel gave it, not one "
        "read from memory or kept in a map.",
    ),
    rule(
        "helper_arg_type",
        r"@reg type=@type expected=(?P<types>.+)",
        "Argument $nth of $call gets $type; it takes $types. Pass the kind of pointer that the call expects.",
    ),
    rule(
        "helper_arg_type",
        r"@reg is of type (?P<have>\S+) but (?P<want>\S+) is expected",
        "Argument $nth of $call is a `struct $have`, and must be a `struct $want`. Pass the other object, or reach it "
        "from this one by a field.",
    ),
    rule(
        "helper_arg_type",
        r"R(?P<nth>\d+) is not a known constant'",
        "Argument $nth of $call must be a constant the verifier can see. Use a literal or `sizeof`; reserve the "
        "largest possible size and submit all of it.",
        "event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);",
    ),
    rule(
        "helper_arg_type",
        (
            r"@reg (?:does not point to a readonly map'|is not a constant address'|points to insn_array map)",
            r"string is not zero-terminated",
            r"direct value access on string failed",
        ),
        "This argument of $call must be a constant string: in read-only memory, at a fixed address, with a zero at "
        "its end. Declare it so at the top of the file.",
        'static const char format[] = "%d";',
    ),
    rule(
        "helper_arg_type",
        (
            r"Invalid format string$",
            r"failed to retrieve map value address",
        ),
        "The kernel doesn't accept this format with these arguments: it takes only known conversions (`%d %u %x %s "
        "%p` and their long forms), and 8 bytes of arguments for each. Compare format and arguments.",
        'BPF_SNPRINTF(out, sizeof(out), "%d", value);',
    ),
    rule(
        "helper_arg_type",
        r"@reg must have zero offset when passed",
        "The call releases only the exact pointer that the program received: not moved, not read from a field. Keep "
        "it in a variable of its own and pass that.",
    ),
    rule(
        "helper_arg_type",
        r"@reg is not a scalar$",
        "Argument $nth of $call must be a number, but gets a pointer. Pass the value it points at.",
        at=r"call bpf_set_retval",
    ),
    rule(
        "helper_arg_type",
        (
            r"helper wants pointer to allocated memory",
            r"Unsupported reg type \S+ for bpf_dynptr_from_mem data",
            r"Helper has invalid btf(?:_id|/btf_id) in R\d",
        ),
        "The call can't work on this kind of memory or object. Use a map's value, or the object the kernel passed to "
        "the program.",
    ),
)
