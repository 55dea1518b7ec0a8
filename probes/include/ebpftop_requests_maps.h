// Block requests on their way, and who made them. Spliced in front of a probe that includes it; what the probe attaches
// to block_io_start (variant io_start) or block_getrq (variant getrq), block_rq_issue and block_rq_complete calls these.
#ifndef EBPFTOP_REQUESTS_MAPS
#define EBPFTOP_REQUESTS_MAPS

#include "ebpftop_block.h"

struct asked {
    u64 since;  // when somebody made the request: only then does that one run
    u64 issued; // when the driver got it, 0 before
    u32 tgid;
    char comm[COMM_SIZE];
};
#define IN_FLIGHT 65536
BPF_HASH(asked, u64, struct asked, IN_FLIGHT); // by request; bounded: by the requests the devices have room for

static void describe_maker(struct asked *request)
{
    request->since = bpf_ktime_get_ns();
    request->tgid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(request->comm, sizeof(request->comm));
}

#ifndef VARIANT_getrq
static int request_made(struct bpf_raw_tracepoint_args *ctx)
{
    if (!wanted_current())
        return 0;
    u64 address = ctx->args[0];
    struct asked request = {};
    describe_maker(&request);
    if (asked.update(&address, &request))
        map_full();
    return 0;
}

static int request_issued(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[0];
    struct asked *request = asked.lookup(&address);
    if (request && !request->issued)
        request->issued = bpf_ktime_get_ns();
    return 0;
}
#else
// The request isn't known yet, only the first piece of what it is to do; one that is merged away leaves its entry.
BPF_TABLE("lru_hash", u64, struct asked, pieces, IN_FLIGHT); // by bio

static int request_made(struct bpf_raw_tracepoint_args *ctx)
{
    if (!wanted_current())
        return 0;
    u64 address = ctx->args[0];
    struct asked piece = {};
    describe_maker(&piece);
    if (pieces.update(&address, &piece))
        map_full();
    return 0;
}

static int request_issued(struct bpf_raw_tracepoint_args *ctx)
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

// Whether all of a request is done that somebody wanted was seen to make: then who that was.
static int request_done(struct bpf_raw_tracepoint_args *ctx, struct asked *who)
{
    u64 address = ctx->args[0];
    struct request *request = (struct request *)address;
    if ((u32)ctx->args[2] < READ(request, __data_len)) // a part of it: the rest is still to come
        return 0;
    struct asked *found = asked.lookup(&address);
    if (!found)
        return 0;
    *who = *found;
    asked.delete(&address);
    return wanted_device(request);
}

#endif
