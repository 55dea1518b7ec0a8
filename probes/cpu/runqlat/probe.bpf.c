#include "ebpftop.h"
#include "ebpftop_queued_maps.h"
#include "ebpftop_quota_maps.h"
#include "ebpftop_thread.h"

struct key {
    u32 tgid;
    THREAD_FIELDS
    u32 slot;
};
BPF_HASH(latency, struct key, u64, 131072); // waits of that length, by process or thread
BPF_HASH(held, struct key, u64, 131072);    // those in which a CPU quota held the thread back

static void count(struct key *key)
{
    u64 zero = 0;
    u64 *times = latency.lookup_or_try_init(key, &zero);
    if (!times) {
        map_full();
        return;
    }
    __sync_fetch_and_add(times, 1);
}

#ifdef VARIANT_raw
static void count_held(struct key *key)
{
    u64 zero = 0;
    u64 *times = held.lookup_or_try_init(key, &zero);
    if (!times) {
        map_full();
        return;
    }
    __sync_fetch_and_add(times, 1);
}

int on_wakeup(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    enqueue(READ(task, pid), bpf_ktime_get_ns(), held_waking(task));
    return 0;
}

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    bool preempted = ctx->args[0];
    struct task_struct *prev = (struct task_struct *)ctx->args[1];
    struct task_struct *next = (struct task_struct *)ctx->args[2];
    u64 now = bpf_ktime_get_ns();

    u32 leaving = bpf_get_current_pid_tgid();
    if (leaving && (preempted || READ(prev, __state) == TASK_RUNNING))
        enqueue(leaving, now, held_leaving(prev, now));

    u32 pid = READ(next, pid);
    if (!pid) // the idle thread never waits
        return 0;
    u64 entry = dequeue(pid), since = entry & (HELD - 1);
    if (!entry || !wanted_task(next))
        return 0;
    struct key key = {.tgid = READ(next, tgid), .slot = ll_slot(now - since)};
    name_thread(&key, next);
    if (entry & HELD || held_waiting(next, since))
        count_held(&key);
    else
        count(&key);
    return 0;
}
#endif

#ifdef VARIANT_classic
// These have only thread ids and names: the next thread's process and cgroup aren't known.
#if defined(PARAM_cgroup) || defined(BY_GROUP)
#error "filters by cgroup or container need the raw tracepoints of the scheduler, which differ in this kernel"
#endif

int on_wakeup(struct tracepoint__sched__sched_wakeup *args)
{
    enqueue(args->pid, bpf_ktime_get_ns(), 0);
    return 0;
}

int on_switch(struct tracepoint__sched__sched_switch *args)
{
    u64 now = bpf_ktime_get_ns();
    if (args->prev_pid && !(args->prev_state & 0xff)) // the bits above mean "preempted", which is runnable too
        enqueue(args->prev_pid, now, 0);

    u32 pid = args->next_pid;
    u64 since = pid ? dequeue(pid) : 0;
    if (!since)
        return 0;
#ifdef PARAM_pid
    if (pid != PARAM_pid)
        return 0;
#endif
#ifdef PARAM_comm
    char comm[COMM_SIZE];
    __builtin_memcpy(comm, args->next_comm, sizeof(comm));
    if (!wanted_comm(comm))
        return 0;
#endif
    struct key key = {.tgid = pid, .slot = ll_slot(now - since)};
#ifdef PARAM_by_thread
    key.tid = pid;
    __builtin_memcpy(key.thread, args->next_comm, sizeof(key.thread));
#endif
    count(&key);
    return 0;
}
#endif
