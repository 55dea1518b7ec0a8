#include "ebpftop.h"

#define ZONE_SIZE 16

struct event {
    u64 time;
    u64 took;
    u32 tgid;
    u32 node;
    s32 order;  // log2 of the contiguous pages wanted; -1 to compact all memory
    u32 result; // enum compact_result
    u32 waits;  // 1 if it waits for pages in use
    char zone[ZONE_SIZE];
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 64);

BPF_HASH(begun, u32, u64); // thread → since when; bounded: by the threads that compact

int on_begin(struct bpf_raw_tracepoint_args *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 now = bpf_ktime_get_ns();
    if (wanted_current() && begun.update(&thread, &now))
        map_full();
    return 0;
}

int on_end(struct bpf_raw_tracepoint_args *ctx)
{
    u64 id = bpf_get_current_pid_tgid();
    u32 thread = id;
    u64 *since = begun.lookup(&thread);
    if (!since)
        return 0;
    u64 now = bpf_ktime_get_ns();
    u64 took = now - *since;
    begun.delete(&thread);
#ifdef PARAM_slower
    if (took <= PARAM_slower)
        return 0;
#endif
    struct compact_control *control = (struct compact_control *)ctx->args[0];
    struct zone *zone = READ(control, zone);
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = now;
    event->took = took;
    event->tgid = id >> 32;
    event->node = READ(READ(zone, zone_pgdat), node_id);
    event->order = READ(control, order);
    event->result = ctx->args[4];
    event->waits = ctx->args[3] & 1;
    if (bpf_probe_read_kernel_str(event->zone, sizeof(event->zone), READ(zone, name)) < 0)
        event->zone[0] = 0;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}
