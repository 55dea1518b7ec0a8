#include "ebpftop.h"
#include "ebpftop_block.h"

struct event {
    u64 time;
    u64 sector;
    u64 queued; // ns from when it was made until the driver got it
    u64 took;   // ns from then on
    u32 tgid;
    u32 device;
    u32 operation;
    u32 bytes;
    u32 status; // blk_status_t: 0, or what went wrong
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 256);

// A request on its way, from when somebody made it: only then does that one run.
struct asked {
    u64 since;
    u64 issued; // 0 while it is queued
    u32 tgid;
    char comm[COMM_SIZE];
};
#define IN_FLIGHT 65536
BPF_HASH(asked, u64, struct asked, IN_FLIGHT); // by request; bounded: by the requests the devices have room for

static void remember(struct asked *request)
{
    request->since = bpf_ktime_get_ns();
    request->tgid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(request->comm, sizeof(request->comm));
}

#ifdef VARIANT_io_start
int on_start(struct bpf_raw_tracepoint_args *ctx)
{
    if (!wanted_current())
        return 0;
    u64 address = ctx->args[0];
    struct asked request = {};
    remember(&request);
    if (asked.update(&address, &request))
        map_full();
    return 0;
}

int on_issue(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[0];
    struct asked *request = asked.lookup(&address);
    if (request && !request->issued)
        request->issued = bpf_ktime_get_ns();
    return 0;
}
#endif

#ifdef VARIANT_getrq
// The request isn't known yet, only the first piece of what it is to do; one that is merged away leaves its entry.
BPF_TABLE("lru_hash", u64, struct asked, pieces, IN_FLIGHT); // by bio

int on_start(struct bpf_raw_tracepoint_args *ctx)
{
    if (!wanted_current())
        return 0;
    u64 address = ctx->args[0];
    struct asked piece = {};
    remember(&piece);
    if (pieces.update(&address, &piece))
        map_full();
    return 0;
}

int on_issue(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[0];
    u64 first = (u64)READ((struct request *)address, bio);
    struct asked *piece = pieces.lookup(&first);
    if (!piece)
        return 0;
    struct asked request = *piece;
    pieces.delete(&first);
    request.issued = bpf_ktime_get_ns();
    if (asked.update(&address, &request))
        map_full();
    return 0;
}
#endif

int on_complete(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[0];
    struct request *request = (struct request *)address;
    u32 left = READ(request, __data_len);
    u8 status = ctx->args[1];
    if ((u32)ctx->args[2] < left) // a part of it: the rest is still to come
        return 0;
    struct asked *found = asked.lookup(&address);
    if (!found)
        return 0;
    struct asked who = *found;
    asked.delete(&address);
    u64 now = bpf_ktime_get_ns();
    if (!who.issued || !wanted_device(request))
        return 0;
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
    event->bytes = left;
    event->status = status;
    __builtin_memcpy(event->comm, who.comm, sizeof(event->comm));
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
