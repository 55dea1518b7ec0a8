// Block requests in flight, and who created them. Spliced in front of a probe that includes it, whose handlers of
// block_io_start (variant io_start) or block_getrq (variant getrq), block_rq_issue and block_rq_complete call these.
#ifndef EBPFTOP_REQUESTS_MAPS
#define EBPFTOP_REQUESTS_MAPS

#include "ebpftop_block.h"

struct origin {
    u64 since;  // its creation, the only time its creator is current
    u64 issued; // to the driver; 0 before
    u32 tgid;
    char comm[COMM_SIZE];
};
#define IN_FLIGHT 65536
BPF_HASH(asked, u64, struct origin, IN_FLIGHT); // by request; bounded: by the devices' queue depths

static void describe_creator(struct origin *request)
{
    request->since = bpf_ktime_get_ns();
    request->tgid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(request->comm, sizeof(request->comm));
}

#ifndef VARIANT_getrq
static int request_created(struct bpf_raw_tracepoint_args *ctx)
{
    if (!wanted_current())
        return 0;
    u64 address = ctx->args[0];
    struct origin request = {};
    describe_creator(&request);
    if (asked.update(&address, &request))
        map_full();
    return 0;
}

// Returns 1 if the request's creation was seen, here and below.
static int request_issued(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[0];
    struct origin *request = asked.lookup(&address);
    if (!request)
        return 0;
    if (!request->issued)
        request->issued = bpf_ktime_get_ns();
    return 1;
}
#else
// There is no request yet, only its first bio. A bio that is merged into another request leaves its entry behind.
BPF_TABLE("lru_hash", u64, struct origin, pieces, IN_FLIGHT); // by bio

static int request_created(struct bpf_raw_tracepoint_args *ctx)
{
    if (!wanted_current())
        return 0;
    u64 address = ctx->args[0];
    struct origin bio = {};
    describe_creator(&bio);
    if (pieces.update(&address, &bio))
        map_full();
    return 0;
}

static int request_issued(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[0];
    u64 first = (u64)READ((struct request *)address, bio);
    struct origin *bio = pieces.lookup(&first);
    if (!bio)
        return 0;
    struct origin request = *bio;
    pieces.delete(&first);
    request.issued = bpf_ktime_get_ns();
    if (asked.update(&address, &request))
        map_full();
    return 1;
}
#endif

// Returns 1 and sets `who` if this completes a request whose creation was seen and which the filters select.
static int request_done(struct bpf_raw_tracepoint_args *ctx, struct origin *who)
{
    u64 address = ctx->args[0];
    struct request *request = (struct request *)address;
    if ((u32)ctx->args[2] < READ(request, __data_len)) // a part of it: the rest follows
        return 0;
    struct origin *found = asked.lookup(&address);
    if (!found)
        return 0;
    *who = *found;
    asked.delete(&address);
    return wanted_device(request);
}

#endif
