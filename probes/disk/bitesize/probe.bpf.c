#include "ebpftop.h"
#include "ebpftop_block.h"

struct key {
    u32 tgid;
    u32 slot;
};
BPF_HASH(sizes, struct key, u64, 131072); // how often a process made a request of that many bytes

#define IN_FLIGHT 65536
BPF_HASH(makers, u64, u32, IN_FLIGHT); // process by request; bounded: by the requests the devices have room for

#ifdef VARIANT_io_start
int on_start(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[0];
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    if (wanted_current() && makers.update(&address, &tgid))
        map_full();
    return 0;
}
#endif

#ifdef VARIANT_getrq
// The request isn't known yet, only the first piece of what it is to do; one that is merged away leaves its entry.
BPF_TABLE("lru_hash", u64, u32, pieces, IN_FLIGHT); // process by bio

int on_start(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[0];
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    if (wanted_current() && pieces.update(&address, &tgid))
        map_full();
    return 0;
}

int on_issue(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[0];
    u64 first = (u64)READ((struct request *)address, bio);
    u32 *maker = pieces.lookup(&first);
    if (!maker)
        return 0;
    u32 tgid = *maker;
    pieces.delete(&first);
    if (makers.update(&address, &tgid))
        map_full();
    return 0;
}
#endif

// Only now is it as large as it got: others were merged into it.
int on_complete(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[0];
    struct request *request = (struct request *)address;
    u32 left = READ(request, __data_len);
    if ((u32)ctx->args[2] < left) // a part of it: the rest is still to come
        return 0;
    u32 *maker = makers.lookup(&address);
    if (!maker)
        return 0;
    struct key key = {.tgid = *maker, .slot = ll_slot(left)};
    makers.delete(&address);
    if (!wanted_device(request))
        return 0;
    u64 zero = 0;
    u64 *times = sizes.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(times, 1);
    return 0;
}
