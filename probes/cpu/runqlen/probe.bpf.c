#include "ebpftop.h"

struct key {
    u32 cpu;
    u32 slot;
};
BPF_HASH(lengths, struct key, u64, 65536); // bounded: by CPUs and lengths

// A thread's own queue may be its cgroup's; the CPU's counts all cgroups and scheduling classes.
int on_sample(struct bpf_perf_event_data *ctx)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct rq *queue = READ(READ(task, se.cfs_rq), rq);
    u32 runnable = READ(queue, nr_running);
    u32 waiting = runnable ? runnable - 1 : 0; // one of them is running
    struct key key = {.cpu = bpf_get_smp_processor_id(), .slot = ll_slot(waiting)};
    u64 zero = 0;
    u64 *times = lengths.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(times, 1);
    return 0;
}
