#include "ebpftop.h"

#define NAME_SIZE 32

struct key {
    char queue[NAME_SIZE];
    u32 slot;
};
BPF_HASH(delay, struct key, u64, 32768);    // bounded: by workqueues × the slots they fill
BPF_HASH(duration, struct key, u64, 32768); // bounded: by workqueues × the slots they fill

struct work {
    u64 since; // when it was queued, then when it started
    char queue[NAME_SIZE];
};
// By the address of its struct. LRU, because cancelled work has no event.
BPF_TABLE("lru_hash", u64, struct work, pending, 16384);

int on_queue(struct bpf_raw_tracepoint_args *ctx)
{
    if (!wanted_current())
        return 0;
    struct pool_workqueue *pool = (struct pool_workqueue *)ctx->args[1];
    u64 address = ctx->args[2];
    struct work work = {.since = bpf_ktime_get_ns()};
    struct workqueue_struct *queue = READ(pool, wq);
    bpf_probe_read_kernel_str(work.queue, sizeof(work.queue), &queue->name);
    if (pending.update(&address, &work))
        map_full();
    return 0;
}

static struct key key_of(struct work *work, u64 now)
{
    struct key key = {.slot = ll_slot(now - work->since)};
    __builtin_memcpy(key.queue, work->queue, sizeof(key.queue));
    return key;
}

// Running work may be requeued, or free its own struct: from its start on it is identified by the worker.
BPF_TABLE("lru_hash", u32, struct work, running, 16384);

int on_start(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[0];
    struct work *found = pending.lookup(&address);
    if (!found)
        return 0;
    struct work work = *found;
    pending.delete(&address);
    u64 now = bpf_ktime_get_ns(), zero = 0;
    struct key key = key_of(&work, now);
    u64 *times = delay.lookup_or_try_init(&key, &zero);
    if (times)
        __sync_fetch_and_add(times, 1);
    else
        map_full();
    work.since = now;
    u32 worker = bpf_get_current_pid_tgid();
    if (running.update(&worker, &work))
        map_full();
    return 0;
}

int on_end(struct bpf_raw_tracepoint_args *ctx)
{
    u32 worker = bpf_get_current_pid_tgid();
    struct work *work = running.lookup(&worker);
    if (!work)
        return 0;
    struct key key = key_of(work, bpf_ktime_get_ns());
    running.delete(&worker);
    u64 zero = 0;
    u64 *times = duration.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(times, 1);
    return 0;
}
