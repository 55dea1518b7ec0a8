#include "ebpftop.h"

// Which of the calls it is, the attachment tells: entries and returns of all of them run these two programs.
struct call {
    u32 thread;
    u32 point;
};
BPF_HASH(began, struct call, u64, 32768); // bounded: by the threads inside one of the calls

struct bucket {
    u32 tgid;
    u32 point;
    u32 slot;
};
BPF_PERCPU_HASH(latency, struct bucket, u64, 32768);

int on_call(void *ctx)
{
    if (!wanted_current())
        return 0;
    struct call call = {.thread = bpf_get_current_pid_tgid(), .point = bpf_get_attach_cookie(ctx)};
    u64 now = bpf_ktime_get_ns();
    if (began.update(&call, &now))
        map_full();
    return 0;
}

int on_return(void *ctx)
{
    u64 id = bpf_get_current_pid_tgid();
    struct call call = {.thread = id, .point = bpf_get_attach_cookie(ctx)};
    u64 *since = began.lookup(&call);
    if (!since)
        return 0;
    u64 took = bpf_ktime_get_ns() - *since;
    began.delete(&call);
#ifdef PARAM_min
    if (took < PARAM_min)
        return 0;
#endif
    struct bucket bucket = {.tgid = id >> 32, .point = call.point, .slot = ll_slot(took)};
    u64 zero = 0;
    u64 *count = latency.lookup_or_try_init(&bucket, &zero);
    if (!count) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(count, 1);
    return 0;
}
