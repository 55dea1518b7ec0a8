#include "ebpftop.h"
#include "ebpftop_thread.h"
#include "ebpftop_user_stacks_maps.h"

struct key {
    u32 tgid;
    THREAD_FIELDS
    int user;
    int kernel;
};
struct off {
    u64 time;  // ns its threads were off-CPU with these call stacks
    u64 times; // how often
};
BPF_HASH(off_cpu, struct key, struct off, 40960); // by process or thread

struct left {
    u64 since;
    struct key key;
};
BPF_HASH(waiting, u32, struct left, 65536); // bounded: by the threads that are off-CPU
#define DEAD 0x80                           // in a thread's state: it won't run again

static void leave(struct bpf_raw_tracepoint_args *ctx, struct task_struct *thread, u32 pid)
{
    u32 state = READ(thread, __state);
    if (state & DEAD || !wanted_task(thread))
        return;
#ifdef PARAM_waits_blocked
    if (state == TASK_RUNNING || ctx->args[0]) // preempted, still runnable
        return;
#endif
    struct left left = {};
    left.key.tgid = READ(thread, tgid);
    name_thread(&left.key, thread);
    left.key.user = left.key.kernel = NO_STACK;
#ifndef PARAM_stacks_kernel
    left.key.user = user_stack(ctx);
#endif
#ifndef PARAM_stacks_user
    left.key.kernel = stack_number(ctx, 0);
#endif
    left.since = bpf_ktime_get_ns();
    if (waiting.update(&pid, &left))
        map_full();
}

static void come_back(u32 pid)
{
    struct left *left = waiting.lookup(&pid);
    if (!left)
        return;
    u64 passed = bpf_ktime_get_ns() - left->since;
    struct key key = left->key;
    waiting.delete(&pid);
    if (passed < PARAM_min)
        return;
    struct off zero = {};
    struct off *off = off_cpu.lookup_or_try_init(&key, &zero);
    if (!off) {
        map_full();
        return;
    }
    __sync_fetch_and_add(&off->time, passed);
    __sync_fetch_and_add(&off->times, 1);
}

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *prev = (struct task_struct *)ctx->args[1];
    struct task_struct *next = (struct task_struct *)ctx->args[2];
    u32 leaving = bpf_get_current_pid_tgid();
    if (leaving) // 0 is the idle thread
        leave(ctx, prev, leaving);
    u32 coming = READ(next, pid);
    if (coming)
        come_back(coming);
    return 0;
}
