// System calls on regular files, from when they begin until they return. Spliced in front of a probe that includes it,
// whose handlers call these.
#ifndef EBPFTOP_CALLS_MAPS
#define EBPFTOP_CALLS_MAPS

#include "ebpftop_file.h"

struct call {
    u64 since;
    struct file *file; // 0 for one that is being opened
    u64 operation;
};
BPF_HASH(calls, u32, struct call); // by thread; bounded: by the threads inside such a call

static void call_remember(struct file *file, u32 operation)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct call call = {.since = bpf_ktime_get_ns(), .file = file, .operation = operation};
    if (calls.update(&thread, &call))
        map_full();
}

// The file is looked up at once: it stays open at least until the call returns.
static int call_begins(u32 descriptor, u32 operation)
{
    if (!wanted_current())
        return 0;
    struct file *file = file_of(descriptor);
    if (regular(file))
        call_remember(file, operation);
    return 0;
}

static int open_begins(void)
{
    if (wanted_current())
        call_remember(0, FILE_OPEN);
    return 0;
}

// Whether this is the end of a call on a regular file: then which.
static int call_ends(s64 result, struct call *call)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct call *found = calls.lookup(&thread);
    if (!found)
        return 0;
    *call = *found;
    calls.delete(&thread);
    if (call->operation == FILE_OPEN && result >= 0)
        call->file = file_of(result);
    return regular(call->file) != 0;
}

#endif
