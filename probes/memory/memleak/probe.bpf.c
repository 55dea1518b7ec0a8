#include "ebpftop.h"
#include "ebpftop_stacks_maps.h"

struct held {
    u64 bytes;
    u64 count;
};
struct key {
    int kernel;
};
BPF_HASH(outstanding, struct key, struct held, 32768); // bounded: by the slots for stacks

struct allocation {
    u64 bytes;
    struct key key;
};
BPF_HASH(allocations, u64, struct allocation, 262144); // bounded: by its size; losses are counted

static void allocated(struct bpf_raw_tracepoint_args *ctx, u64 bytes)
{
    u64 address = ctx->args[1];
    if (!address || bytes < PARAM_min || !wanted_current())
        return;
    struct allocation allocation = {.bytes = bytes};
    allocation.key.kernel = stack_number(ctx, 0);
    if (allocations.update(&address, &allocation)) {
        map_full();
        return;
    }
    struct key key = allocation.key;
    struct held zero = {};
    struct held *held = outstanding.lookup_or_try_init(&key, &zero);
    if (!held) {
        map_full();
        allocations.delete(&address);
        return;
    }
    __sync_fetch_and_add(&held->bytes, bytes);
    __sync_fetch_and_add(&held->count, 1);
}

int on_kmalloc(struct bpf_raw_tracepoint_args *ctx)
{
#ifndef PARAM_kind_cache
    allocated(ctx, ctx->args[3]);
#endif
    return 0;
}

int on_cache_alloc(struct bpf_raw_tracepoint_args *ctx)
{
#ifndef PARAM_kind_kmalloc
    struct kmem_cache *cache = (struct kmem_cache *)ctx->args[2];
    allocated(ctx, READ(cache, size));
#endif
    return 0;
}

// Memory allocated earlier, or filtered out, isn't known.
int on_free(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[1];
    struct allocation *allocation = allocations.lookup(&address);
    if (!allocation)
        return 0;
    struct key key = allocation->key;
    u64 bytes = allocation->bytes;
    allocations.delete(&address);
    struct held *held = outstanding.lookup(&key);
    if (held) {
        __sync_fetch_and_add(&held->bytes, -bytes);
        __sync_fetch_and_add(&held->count, -1ULL);
    }
    return 0;
}
