// Calls from entry to return, each kept under the thread that is inside it. Spliced in front of a probe that includes it,
// whose handlers call these.
#ifndef EBPFTOP_CALLS_MAPS
#define EBPFTOP_CALLS_MAPS

struct call {
    u64 since;
    u64 args[4]; // those the probe needs at the return, at indexes it names
};
BPF_HASH(inside, u32, struct call); // by thread; bounded: by the threads inside such a call

static void call_remember(struct call *call)
{
    u32 thread = bpf_get_current_pid_tgid();
    call->since = bpf_ktime_get_ns();
    if (inside.update(&thread, call))
        map_full();
}

static int call_entered(struct call *call)
{
    if (wanted_current())
        call_remember(call);
    return 0;
}

// Returns 1 and fills `call` if the entry of this call was remembered.
static int call_returned(struct call *call)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct call *found = inside.lookup(&thread);
    if (!found)
        return 0;
    *call = *found;
    inside.delete(&thread);
    return 1;
}

#endif
