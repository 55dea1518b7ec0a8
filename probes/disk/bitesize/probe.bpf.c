#include "ebpftop.h"
#include "ebpftop_requests_maps.h"

struct key {
    u32 tgid;
    u32 slot;
};
BPF_HASH(sizes, struct key, u64, 131072); // requests of that many bytes, 0 excepted, by process

#if defined(VARIANT_io_start) || defined(VARIANT_getrq)
int on_start(struct bpf_raw_tracepoint_args *ctx)
{
    return request_created(ctx);
}

int on_issue(struct bpf_raw_tracepoint_args *ctx)
{
    request_issued(ctx);
    return 0;
}
#endif

// Only now is its size final: others may have been merged into it.
int on_complete(struct bpf_raw_tracepoint_args *ctx)
{
    struct origin who = {};
    if (!request_done(ctx, &who))
        return 0;
    struct request *request = (struct request *)ctx->args[0];
    u32 bytes = READ(request, __data_len);
    if (!bytes) // a flush
        return 0;
    struct key key = {.tgid = who.tgid, .slot = ll_slot(bytes)};
    u64 zero = 0;
    u64 *times = sizes.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(times, 1);
    return 0;
}
