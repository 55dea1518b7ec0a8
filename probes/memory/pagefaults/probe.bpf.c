#include "ebpftop.h"

struct faults {
    u64 user;   // from the process's own code
    u64 writes; // those of them that were writes
    u64 kernel; // from the kernel, mostly while it copies to or from the process
    u64 major;  // those of all that had to wait for a disk
};
BPF_HASH(faults, u32, struct faults); // by process

#define WRITE 2 // in the error code: x86's X86_PF_WRITE

// The process's counters, or 0 if it is filtered out or the map is full.
static struct faults *counters(void)
{
    if (!wanted_current())
        return 0;
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    struct faults zero = {};
    struct faults *found = faults.lookup_or_try_init(&tgid, &zero);
    if (!found)
        map_full();
    return found;
}

#ifdef VARIANT_raw
int on_user(struct bpf_raw_tracepoint_args *ctx)
{
    struct faults *process = counters();
    if (!process)
        return 0;
    __sync_fetch_and_add(&process->user, 1);
    if (ctx->args[2] & WRITE)
        __sync_fetch_and_add(&process->writes, 1);
    return 0;
}

int on_kernel(struct bpf_raw_tracepoint_args *ctx)
{
    struct faults *process = counters();
    if (process)
        __sync_fetch_and_add(&process->kernel, 1);
    return 0;
}

#endif

#ifdef VARIANT_software
int on_fault(struct bpf_perf_event_data *ctx)
{
    struct faults *process = counters();
    if (!process)
        return 0;
    if (PT_REGS_IP(&ctx->regs) >> 63) // the kernel's half of the addresses
        __sync_fetch_and_add(&process->kernel, 1);
    else
        __sync_fetch_and_add(&process->user, 1);
    return 0;
}
#endif

int on_major(struct bpf_perf_event_data *ctx)
{
    struct faults *process = counters();
    if (process)
        __sync_fetch_and_add(&process->major, 1);
    return 0;
}
