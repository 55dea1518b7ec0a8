// For probes of waits for a CPU: whether it was a CPU quota (cpu.max, cfs_quota_us) that held a thread back, while CPUs may
// have been idle. No tracepoint tells; what the scheduler notes in its own structs does.
#ifndef EBPFTOP_QUOTA_MAPS
#define EBPFTOP_QUOTA_MAPS

#ifdef HAS_task_struct__throttled
// From Linux 6.18 on, each thread of a throttled group is taken off its queue when it is about to return to user space.

// Whether the quota holds back a runnable thread that leaves its CPU.
static int held_leaving(struct task_struct *task, u64 now)
{
    return READ(task, throttled);
}

static int held_waking(struct task_struct *task)
{
    return 0;
}

static int held_waiting(struct task_struct *task, u64 since)
{
    return 0;
}

#elif defined(HAS_cfs_rq__throttle_count)
// Before, the group's whole queue is taken off the CPU, with all threads that wait in it.

BPF_TABLE("lru_hash", u64, u64, throttled_at, 4096); // a queue → when it was last seen to be throttled

static int held_leaving(struct task_struct *task, u64 now)
{
    struct cfs_rq *queue = READ(task, se.cfs_rq);
    if (!queue || !READ(queue, throttle_count))
        return 0;
    u64 key = (u64)queue;
    if (throttled_at.update(&key, &now))
        map_full();
    return 1;
}

// Whether it wakes up in a throttled group.
static int held_waking(struct task_struct *task)
{
    struct cfs_rq *queue = READ(task, se.cfs_rq);
    return queue && READ(queue, throttle_count);
}

// Whether its group was throttled after it had begun to wait.
static int held_waiting(struct task_struct *task, u64 since)
{
    u64 key = (u64)READ(task, se.cfs_rq);
    u64 *at = throttled_at.lookup(&key);
    return at && *at > since;
}

#else // no quotas in this kernel
static int held_leaving(struct task_struct *task, u64 now)
{
    return 0;
}

static int held_waking(struct task_struct *task)
{
    return 0;
}

static int held_waiting(struct task_struct *task, u64 since)
{
    return 0;
}
#endif
#endif
