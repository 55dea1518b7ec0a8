#include "ebpftop.h"

BPF_HASH(began, u32, u64); // bounded: by the threads that collect

struct bucket {
    u32 tgid;
    u32 slot;
};
BPF_PERCPU_HASH(latency, struct bucket, u64);

int on_start(struct pt_regs *ctx)
{
    if (!wanted_current())
        return 0;
    u32 thread = bpf_get_current_pid_tgid();
    u64 now = bpf_ktime_get_ns();
    if (began.update(&thread, &now))
        map_full();
    return 0;
}

int on_done(struct pt_regs *ctx)
{
    u64 id = bpf_get_current_pid_tgid();
    u32 thread = id;
    u64 *since = began.lookup(&thread);
    if (!since)
        return 0;
    u64 took = bpf_ktime_get_ns() - *since;
    began.delete(&thread);
#ifdef PARAM_min
    if (took < PARAM_min)
        return 0;
#endif
    struct bucket bucket = {.tgid = id >> 32, .slot = ll_slot(took)};
    u64 zero = 0;
    u64 *count = latency.lookup_or_try_init(&bucket, &zero);
    if (!count) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(count, 1);
    return 0;
}
