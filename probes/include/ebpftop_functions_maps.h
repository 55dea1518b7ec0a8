// How long functions take, from entry to return. Spliced in front of a probe that includes it, whose handlers call these.
#ifndef EBPFTOP_FUNCTIONS_MAPS
#define EBPFTOP_FUNCTIONS_MAPS

struct function_call {
    u32 thread;
    u32 point; // which of the probe's functions, 0 where there is one
};
BPF_HASH(began, struct function_call, u64, 32768); // bounded: by the threads inside one of the functions

static int function_entered(u32 point)
{
    if (!wanted_current())
        return 0;
    struct function_call call = {.thread = bpf_get_current_pid_tgid(), .point = point};
    u64 now = bpf_ktime_get_ns();
    if (began.update(&call, &now))
        map_full();
    return 0;
}

// Returns 1 and sets `took` (ns) if the entry of this call was seen, and the parameter min doesn't filter it out.
static int function_returned(u32 point, u64 *took)
{
    struct function_call call = {.thread = bpf_get_current_pid_tgid(), .point = point};
    u64 *since = began.lookup(&call);
    if (!since)
        return 0;
    *took = bpf_ktime_get_ns() - *since;
    began.delete(&call);
#ifdef PARAM_min
    if (*took < PARAM_min)
        return 0;
#endif
    return 1;
}

#endif
