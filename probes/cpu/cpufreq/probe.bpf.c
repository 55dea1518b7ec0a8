#include "ebpftop.h"

struct key {
    u32 cpu;
    u32 mhz;
};
struct sum {
    u64 changes; // to this frequency
    u64 time;    // at it, up to the last change to another
};
BPF_HASH(frequencies, struct key, struct sum, 65536); // bounded: by CPUs × frequencies

struct present {
    u64 since;
    u64 mhz;
};
BPF_HASH(presents, u32, struct present); // bounded: by CPUs

static struct sum *sum_of(u32 cpu, u32 mhz)
{
    struct key key = {.cpu = cpu, .mhz = mhz};
    struct sum zero = {};
    struct sum *sum = frequencies.lookup_or_try_init(&key, &zero);
    if (!sum)
        map_full();
    return sum;
}

int on_frequency(struct bpf_raw_tracepoint_args *ctx)
{
    u32 mhz = ((u32)ctx->args[0] + 500) / 1000, cpu = ctx->args[1];
    struct present now = {.since = bpf_ktime_get_ns(), .mhz = mhz};
    struct present *before = presents.lookup(&cpu);
    struct sum *sum = before ? sum_of(cpu, before->mhz) : NULL;
    if (sum)
        __sync_fetch_and_add(&sum->time, now.since - before->since);
    if (presents.update(&cpu, &now))
        map_full();
    sum = sum_of(cpu, mhz);
    if (sum)
        __sync_fetch_and_add(&sum->changes, 1);
    return 0;
}
