#include "ebpftop.h"
#include "ebpftop_thread.h"

struct key {
    u32 tgid;
    THREAD_FIELDS
    u32 slot;
};
BPF_HASH(time, struct key, u64, 131072); // stretches of that length on or off the CPU, by process or thread

static void count(struct task_struct *thread, u32 tgid, u64 took)
{
    struct key key = {.tgid = tgid, .slot = ll_slot(took)};
    name_thread(&key, thread);
    u64 zero = 0;
    u64 *times = time.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return;
    }
    __sync_fetch_and_add(times, 1);
}

#ifndef PARAM_off
BPF_PERCPU_ARRAY(since, u64, 1); // when this CPU's current thread was switched in

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    u32 only = 0;
    u64 now = bpf_ktime_get_ns();
    u64 *came = since.lookup(&only);
    if (!came)
        return 0;
    u64 start = *came;
    *came = now;
    u64 leaving = bpf_get_current_pid_tgid();
    if (start && leaving && wanted_current()) // the idle thread is 0
        count(current_thread(), leaving >> 32, now - start);
    return 0;
}
#else
BPF_HASH(left, u32, u64, 65536); // thread → when it left; bounded: by the threads off their CPU

#define DEAD 0x80 // TASK_DEAD: it won't run again

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *prev = (struct task_struct *)ctx->args[1];
    struct task_struct *next = (struct task_struct *)ctx->args[2];
    u64 now = bpf_ktime_get_ns();
    u32 leaving = bpf_get_current_pid_tgid();
    if (leaving && !(READ(prev, __state) & DEAD) && wanted_task(prev) && left.update(&leaving, &now))
        map_full();

    u32 coming = READ(next, pid);
    u64 *start = left.lookup(&coming);
    if (!start)
        return 0;
    count(next, READ(next, tgid), now - *start);
    left.delete(&coming);
    return 0;
}
#endif
