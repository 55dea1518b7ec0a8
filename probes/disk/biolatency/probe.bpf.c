#include "ebpftop.h"
#include "ebpftop_requests_maps.h"

struct key {
    u32 tgid;
    u32 device;
    u32 operation;
    u32 slot;
};
BPF_HASH(latency, struct key, u64, 131072); // requests that took that long, by process, device and operation

#if defined(VARIANT_io_start) || defined(VARIANT_getrq)
int on_start(struct bpf_raw_tracepoint_args *ctx)
{
    return request_created(ctx);
}

// Flushes have no creator, and some creations aren't seen: those requests count too, as an unknown process's.
int on_issue(struct bpf_raw_tracepoint_args *ctx)
{
    if (request_issued(ctx))
        return 0;
    u64 address = ctx->args[0];
    struct origin unseen = {.issued = bpf_ktime_get_ns(), .tgid = UNKNOWN_PROCESS};
    if (!asked.lookup_or_try_init(&address, &unseen))
        map_full();
    return 0;
}
#endif

int on_complete(struct bpf_raw_tracepoint_args *ctx)
{
    struct origin who = {};
    if (!request_done(ctx, &who) || !who.issued)
        return 0;
    struct request *request = (struct request *)ctx->args[0];
    u64 since = who.issued;
#ifdef PARAM_queued
    since = READ(request, start_time_ns); // 0 if the device's queue/iostats is off
    if (!since)
        return 0;
#endif
    struct key key = {
        .tgid = who.tgid,
        .device = device_of(request),
        .operation = operation_of(request),
        .slot = ll_slot(bpf_ktime_get_ns() - since),
    };
    u64 zero = 0;
    u64 *times = latency.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(times, 1);
    return 0;
}
