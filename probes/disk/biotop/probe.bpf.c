#include "ebpftop.h"
#include "ebpftop_block.h"

struct key {
    u32 tgid;
    u32 device;
    u32 operation;
};
struct use {
    u64 requests;
    u64 bytes;
    u64 queued; // ns from when they were made until the driver got them
    u64 took;   // ns from then on
};
BPF_HASH(requests, struct key, struct use, 32768); // by process, and by device and operation

// A request on its way, from when somebody made it: only then does that one run.
struct asked {
    u64 since;
    u64 issued; // 0 while it is queued
    u64 tgid;
};
#define IN_FLIGHT 65536
BPF_HASH(asked, u64, struct asked, IN_FLIGHT); // by request; bounded: by the requests the devices have room for

static void remember(struct asked *request)
{
    request->since = bpf_ktime_get_ns();
    request->tgid = bpf_get_current_pid_tgid() >> 32;
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
    if ((u32)ctx->args[2] < left) // a part of it: the rest is still to come
        return 0;
    struct asked *found = asked.lookup(&address);
    if (!found)
        return 0;
    struct asked who = *found;
    asked.delete(&address);
    if (!who.issued || !wanted_device(request))
        return 0;
    struct key key = {.tgid = who.tgid, .device = device_of(request), .operation = operation_of(request)};
    struct use zero = {};
    struct use *use = requests.lookup_or_try_init(&key, &zero);
    if (!use) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(&use->requests, 1);
    __sync_fetch_and_add(&use->bytes, left);
    __sync_fetch_and_add(&use->queued, who.issued - who.since);
    __sync_fetch_and_add(&use->took, bpf_ktime_get_ns() - who.issued);
    return 0;
}
