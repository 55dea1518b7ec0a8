#include "ebpftop.h"

#define NAME_SIZE 32

struct key {
    char name[NAME_SIZE];
    u64 size;
};
struct use {
    u64 allocations;
    u64 bytes;
};
BPF_HASH(caches, struct key, struct use); // bounded: by the caches and the sizes of kmalloc

static int count(struct key *key)
{
    struct use zero = {};
    struct use *use = caches.lookup_or_try_init(key, &zero);
    if (!use) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(&use->allocations, 1);
    __sync_fetch_and_add(&use->bytes, key->size);
    return 0;
}

int on_cache(struct bpf_raw_tracepoint_args *ctx)
{
    struct kmem_cache *cache = (struct kmem_cache *)ctx->args[2];
    if (!ctx->args[1] || !wanted_current()) // it failed
        return 0;
    struct key key = {.size = READ(cache, object_size)};
    bpf_probe_read_kernel_str(key.name, sizeof(key.name), READ(cache, name));
    return count(&key);
}

// The caches of kmalloc are told apart by size alone.
int on_kmalloc(struct bpf_raw_tracepoint_args *ctx)
{
    struct key key = {.name = "kmalloc", .size = ctx->args[3]};
    return ctx->args[1] && wanted_current() ? count(&key) : 0;
}
