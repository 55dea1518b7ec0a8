#include "ebpftop.h"
#include "ebpftop_user_stacks_maps.h"

struct key {
    u32 tgid; // the waker
    int user; // the waker's stacks
    int kernel;
    char target[COMM_SIZE]; // the woken thread
};
struct blocked {
    u64 time; // ns
    u64 times;
};
BPF_HASH(wakeups, struct key, struct blocked, 40960); // by process
BPF_HASH(waiting, u32, u64, 65536);                   // thread → since when; bounded: by the threads that are off-CPU
#define DEAD 0x80                                     // in a thread's state: it won't run again

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *prev = (struct task_struct *)ctx->args[1];
    u32 pid = bpf_get_current_pid_tgid();
    u32 state = READ(prev, __state);
    if (!pid || ctx->args[0] || state == TASK_RUNNING || state & DEAD || !wanted_task(prev))
        return 0;
    u64 now = bpf_ktime_get_ns();
    if (waiting.update(&pid, &now))
        map_full();
    return 0;
}

int on_waking(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *woken = (struct task_struct *)ctx->args[0];
    u32 pid = READ(woken, pid);
    u64 *since = waiting.lookup(&pid);
    if (!since)
        return 0;
    u64 passed = bpf_ktime_get_ns() - *since;
    waiting.delete(&pid);
    if (passed < PARAM_min)
        return 0;

    struct key key = {.tgid = bpf_get_current_pid_tgid() >> 32, .user = NO_STACK, .kernel = NO_STACK};
    bpf_probe_read_kernel(key.target, sizeof(key.target), &woken->comm);
#ifndef PARAM_stacks_kernel
    key.user = user_stack(ctx);
#endif
#ifndef PARAM_stacks_user
    key.kernel = stack_number(ctx, 0);
#endif
    struct blocked zero = {};
    struct blocked *blocked = wakeups.lookup_or_try_init(&key, &zero);
    if (!blocked) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(&blocked->time, passed);
    __sync_fetch_and_add(&blocked->times, 1);
    return 0;
}
