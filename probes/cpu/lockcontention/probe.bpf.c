#include "ebpftop.h"
#include "ebpftop_stacks_maps.h"
#include "ebpftop_thread.h"

struct key {
    u32 kind; // the flags of contention_begin
    u32 tgid;
    THREAD_FIELDS
    u32 slot;
};
BPF_HASH(latency, struct key, u64, 65536); // waits of that length, by lock type and process or thread

struct place {
    u32 kind;
    u32 tgid;
    THREAD_FIELDS
    int kernel;
};
BPF_HASH(places, struct place, u64, 16384); // ns waited in this call stack, which identifies the lock

// Waits nest: a thread waiting for a mutex may spin for the lock inside it, and an interrupt may spin for another.
struct waiter {
    u64 lock;
    u32 thread; // on an idle CPU, whose thread id is 0: the CPU's number with the highest bit set
    u32 unused;
};
struct wait {
    u64 since;
    u32 kind;
    u32 unused;
};
BPF_HASH(waiting, struct waiter, struct wait, 16384); // bounded: by the threads that wait for a kernel lock

#define SPINS 1  // LCB_F_SPIN
#define MUTEX 32 // LCB_F_MUTEX

static struct waiter current_waiter(u64 lock)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct waiter waiter = {.lock = lock, .thread = thread ? thread : 1U << 31 | bpf_get_smp_processor_id()};
    return waiter;
}

int on_begin(struct bpf_raw_tracepoint_args *ctx)
{
    if (!wanted_current())
        return 0;
    struct waiter waiter = current_waiter(ctx->args[0]);
    struct wait wait = {.since = bpf_ktime_get_ns(), .kind = ctx->args[1]};
    if (wait.kind & MUTEX) {
        struct wait *spun = waiting.lookup(&waiter); // a mutex spins before it sleeps: one wait, two events
        if (spun && spun->kind & SPINS)
            wait.since = spun->since;
    }
    if (waiting.update(&waiter, &wait))
        map_full();
    return 0;
}

static void count_time(struct bpf_raw_tracepoint_args *ctx, u32 kind, u32 tgid, u64 waited)
{
    struct place place = {.kind = kind, .tgid = tgid, .kernel = stack_number(ctx, 0)};
    name_thread(&place, current_thread());
    u64 zero = 0;
    u64 *time = places.lookup_or_try_init(&place, &zero);
    if (!time) {
        map_full();
        return;
    }
    __sync_fetch_and_add(time, waited);
}

int on_end(struct bpf_raw_tracepoint_args *ctx)
{
    struct waiter waiter = current_waiter(ctx->args[0]);
    struct wait *wait = waiting.lookup(&waiter);
    if (!wait)
        return 0;
    u64 waited = bpf_ktime_get_ns() - wait->since;
    struct key key = {
        .kind = wait->kind & MUTEX ? MUTEX : wait->kind,
        .tgid = bpf_get_current_pid_tgid() >> 32,
        .slot = ll_slot(waited),
    };
    waiting.delete(&waiter);
    name_thread(&key, current_thread());
    count_time(ctx, key.kind, key.tgid, waited);
    u64 zero = 0;
    u64 *times = latency.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(times, 1);
    return 0;
}
