#include "ebpftop.h"

#define VECTORS 16 // the kernel has 10
#define KEYS (VECTORS * LL_SLOTS)

struct key {
    u32 vector;
    u32 slot;
};
// Per CPU, so counting needs no atomics: a CPU's softirqs run one after another.
BPF_PERCPU_HASH(duration, struct key, u64, KEYS); // bounded: by vectors × slots
BPF_PERCPU_HASH(delay, struct key, u64, KEYS);    // bounded: by vectors × slots

BPF_PERCPU_ARRAY(raised, u64, VECTORS); // when a vector was first raised after its last run
BPF_PERCPU_ARRAY(entered, u64, VECTORS);

int on_raise(struct bpf_raw_tracepoint_args *ctx)
{
    u32 vector = ctx->args[0];
    u64 *since = raised.lookup(&vector);
    if (since && !*since)
        *since = bpf_ktime_get_ns();
    return 0;
}

int on_entry(struct bpf_raw_tracepoint_args *ctx)
{
    struct key key = {.vector = ctx->args[0]};
    u64 now = bpf_ktime_get_ns();
    u64 *start = entered.lookup(&key.vector);
    if (start)
        *start = now;
    u64 *since = raised.lookup(&key.vector);
    if (!since || !*since)
        return 0;
    key.slot = ll_slot(now - *since);
    *since = 0;
    u64 zero = 0;
    u64 *times = delay.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    ++*times;
    return 0;
}

int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
    struct key key = {.vector = ctx->args[0]};
    u64 *start = entered.lookup(&key.vector);
    if (!start || !*start)
        return 0;
    key.slot = ll_slot(bpf_ktime_get_ns() - *start);
    *start = 0;
    u64 zero = 0;
    u64 *times = duration.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    ++*times;
    return 0;
}
