#include "ebpftop.h"
#include "ebpftop_requests_maps.h"

struct event {
    u64 time;
    u64 sector;
    u64 queued; // ns from creation to issue
    u64 took;   // ns from issue to completion
    u32 tgid;
    u32 device;
    u32 operation;
    u32 bytes;
    u32 status; // blk_status_t: 0, or an error
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

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
    u8 status = ctx->args[1];
    u64 now = bpf_ktime_get_ns();
#ifdef PARAM_failed
    if (!status)
        return 0;
#endif
#ifdef PARAM_slower
    if (now - who.since <= PARAM_slower)
        return 0;
#endif
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = now;
    event->sector = READ(request, __sector);
    event->queued = who.issued - who.since;
    event->took = now - who.issued;
    event->tgid = who.tgid;
    event->device = device_of(request);
    event->operation = operation_of(request);
    event->bytes = READ(request, __data_len);
    event->status = status;
    __builtin_memcpy(event->comm, who.comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}
