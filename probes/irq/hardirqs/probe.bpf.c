#include "ebpftop.h"

#define NAME_SIZE 32

struct source {
    u32 irq;
    char name[NAME_SIZE]; // several devices may share an interrupt
};
struct sum {
    u64 interrupts;
    u64 time;
};
struct key {
    u32 irq;
    u32 slot;
    char name[NAME_SIZE];
};
// Per CPU, so counting needs no atomics: handlers don't interrupt each other.
BPF_PERCPU_HASH(sums, struct source, struct sum, 4096); // bounded: by the handlers
BPF_PERCPU_HASH(duration, struct key, u64, 16384);      // bounded: by handlers × the slots they fill

BPF_PERCPU_ARRAY(entered, u64, 1);

int on_entry(struct bpf_raw_tracepoint_args *ctx)
{
    u32 only = 0;
    u64 *start = entered.lookup(&only);
    if (start)
        *start = bpf_ktime_get_ns();
    return 0;
}

static void add(struct source *source, u64 took)
{
    struct sum zero = {};
    struct sum *sum = sums.lookup_or_try_init(source, &zero);
    if (!sum) {
        map_full();
        return;
    }
    sum->interrupts++;
    sum->time += took;
}

int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
    u32 only = 0;
    u64 *start = entered.lookup(&only);
    if (!start || !*start)
        return 0;
    u64 took = bpf_ktime_get_ns() - *start;
    *start = 0;
    struct irqaction *action = (struct irqaction *)ctx->args[1];
    struct source source = {.irq = ctx->args[0]};
    bpf_probe_read_kernel_str(source.name, sizeof(source.name), READ(action, name));
    add(&source, took);

    struct key key = {.irq = source.irq, .slot = ll_slot(took)};
    __builtin_memcpy(key.name, source.name, sizeof(key.name));
    u64 zero = 0;
    u64 *times = duration.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    ++*times;
    return 0;
}
