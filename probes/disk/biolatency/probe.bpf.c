#include "ebpftop.h"
#include "ebpftop_block.h"

struct key {
    u32 device;
    u32 operation;
    u32 slot;
};
BPF_HASH(latency, struct key, u64); // bounded: by devices × operations × slots

BPF_HASH(issued, u64, u64); // request → when it was issued; bounded: by the requests in flight

int on_issue(struct bpf_raw_tracepoint_args *ctx)
{
    u64 request = ctx->args[0];
    u64 now = bpf_ktime_get_ns();
    if (issued.update(&request, &now))
        map_full();
    return 0;
}

static void count(struct request *request, u64 since)
{
    struct key key = {
        .device = device_of(request),
        .operation = operation_of(request),
        .slot = ll_slot(bpf_ktime_get_ns() - since),
    };
    u64 zero = 0;
    u64 *times = latency.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return;
    }
    __sync_fetch_and_add(times, 1);
}

#if defined(VARIANT_raw) || defined(VARIANT_errno)
int on_complete(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[0];
    struct request *request = (struct request *)address;
    u32 bytes = ctx->args[2];
    if (bytes < READ(request, __data_len)) // a part of it: the rest follows
        return 0;
    u64 *when = issued.lookup(&address);
    if (!when)
        return 0;
    u64 since = *when;
    issued.delete(&address);
    if (!wanted_device(request))
        return 0;
#ifdef PARAM_queued
    since = READ(request, start_time_ns); // 0 if the device's queue/iostats is off
    if (!since)
        return 0;
#endif
    count(request, since);
    return 0;
}
#endif
