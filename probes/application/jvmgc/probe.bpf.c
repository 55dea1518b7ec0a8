#include "ebpftop.h"

#define NAME_SIZE 40

struct bucket {
    u32 tgid;
    u32 slot;
    char collector[NAME_SIZE];
};
BPF_PERCPU_HASH(pauses, struct bucket, u64);

struct collection {
    u64 since;
    char collector[NAME_SIZE];
};
BPF_HASH(began, u32, struct collection); // by thread; bounded: by the threads that collect

// The address of the collector's name. Where it is differs by build; the loader knows it from the file.
#ifndef USDT_mem__pool__gc__begin_1
#define USDT_mem__pool__gc__begin_1(ctx) 0
#endif

int on_begin(struct pt_regs *ctx)
{
    if (!wanted_current())
        return 0;
    u32 thread = bpf_get_current_pid_tgid();
    struct collection collection = {.since = bpf_ktime_get_ns()};
    if (began.update(&thread, &collection))
        map_full();
    return 0;
}

// Once for each of the pools that it collects; the first names it.
int on_pool(struct pt_regs *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct collection *collection = began.lookup(&thread);
    const void *name = (const void *)(u64)USDT_mem__pool__gc__begin_1(ctx);
    if (collection && !collection->collector[0] && name)
        bpf_probe_read_user_str(collection->collector, sizeof(collection->collector), name);
    return 0;
}

int on_end(struct pt_regs *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct collection *found = began.lookup(&thread);
    if (!found)
        return 0;
    u64 took = bpf_ktime_get_ns() - found->since;
    struct bucket bucket = {.tgid = bpf_get_current_pid_tgid() >> 32, .slot = ll_slot(took)};
    __builtin_memcpy(bucket.collector, found->collector, sizeof(bucket.collector));
    began.delete(&thread);
#ifdef PARAM_min
    if (took < PARAM_min)
        return 0;
#endif
    u64 zero = 0;
    u64 *count = pauses.lookup_or_try_init(&bucket, &zero);
    if (!count) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(count, 1);
    return 0;
}
