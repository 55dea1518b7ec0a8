#include "ebpftop.h"

#define SCOPE_SIZE 8

struct event {
    u64 time;
    u64 took;
    u64 reclaimed; // pages
    u32 tgid;
    u32 order; // log2 of the contiguous pages wanted
    char scope[SCOPE_SIZE];
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

struct reclaim {
    u64 since;
    u32 order;
    u32 of_cgroup;
};
BPF_HASH(reclaims, u32, struct reclaim); // by thread; bounded: by the threads that reclaim

static int begin(u32 order, bool of_cgroup)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct reclaim reclaim = {.since = bpf_ktime_get_ns(), .order = order, .of_cgroup = of_cgroup};
    if (wanted_current() && reclaims.update(&thread, &reclaim))
        map_full();
    return 0;
}

#if defined(VARIANT_raw) || defined(VARIANT_machine)
int on_machine(struct bpf_raw_tracepoint_args *ctx)
{
    return begin(ctx->args[0], false);
}
#endif

#ifdef VARIANT_raw
int on_cgroup(struct bpf_raw_tracepoint_args *ctx)
{
    return begin(ctx->args[0], true);
}
#endif

int on_end(struct bpf_raw_tracepoint_args *ctx)
{
    u64 id = bpf_get_current_pid_tgid();
    u32 thread = id;
    struct reclaim *found = reclaims.lookup(&thread);
    if (!found)
        return 0;
    struct reclaim reclaim = *found;
    reclaims.delete(&thread);
    u64 now = bpf_ktime_get_ns();
#ifdef PARAM_slower
    if (now - reclaim.since <= PARAM_slower)
        return 0;
#endif
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = now;
    event->took = now - reclaim.since;
    event->reclaimed = ctx->args[0];
    event->tgid = id >> 32;
    event->order = reclaim.order;
    const char machine[SCOPE_SIZE] = "machine", cgroup[SCOPE_SIZE] = "cgroup";
    if (reclaim.of_cgroup)
        __builtin_memcpy(event->scope, cgroup, SCOPE_SIZE);
    else
        __builtin_memcpy(event->scope, machine, SCOPE_SIZE);
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}
