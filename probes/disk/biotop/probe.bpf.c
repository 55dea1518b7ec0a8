#include "ebpftop.h"
#include "ebpftop_requests_maps.h"

struct key {
    u32 tgid;
    u32 device;
    u32 operation;
};
struct use {
    u64 requests;
    u64 bytes;
    u64 queued; // ns from creation to issue
    u64 took;   // ns from issue to completion
};
BPF_HASH(requests, struct key, struct use, 32768); // by process, and by device and operation

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

int on_complete(struct bpf_raw_tracepoint_args *ctx)
{
    struct origin who = {};
    if (!request_done(ctx, &who) || !who.issued)
        return 0;
    struct request *request = (struct request *)ctx->args[0];
    struct key key = {.tgid = who.tgid, .device = device_of(request), .operation = operation_of(request)};
    struct use zero = {};
    struct use *use = requests.lookup_or_try_init(&key, &zero);
    if (!use) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(&use->requests, 1);
    __sync_fetch_and_add(&use->bytes, READ(request, __data_len));
    __sync_fetch_and_add(&use->queued, who.issued - who.since);
    __sync_fetch_and_add(&use->took, bpf_ktime_get_ns() - who.issued);
    return 0;
}
