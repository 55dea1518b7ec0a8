#include "ebpftop.h"
#include "ebpftop_thread.h"
#include "ebpftop_user_stacks_maps.h"
#include "ebpftop_waker.h"

struct key {
    u32 tgid; // the waker
    THREAD_FIELDS
    int user; // the waker's stacks
    int kernel;
    char target[COMM_SIZE]; // the woken thread
};
struct blocked {
    u64 time; // ns
    u64 times;
};
BPF_HASH(wakeups, struct key, struct blocked, 40960); // by process or thread

struct thread {
    u64 since; // when it left its CPU to wait, 0 if it does not wait
    u64 woken; // when it was woken last, 0 if that was not seen
    u32 waker; // the thread that did, 0 if an interrupt did
    u32 unused;
};
BPF_HASH(threads, u32, struct thread, 65536); // bounded: by the threads that there are
#define DEAD 0x80                             // in a thread's state: it won't run again

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *prev = (struct task_struct *)ctx->args[1];
    u32 pid = bpf_get_current_pid_tgid();
    u32 state = READ(prev, __state);
    if (state & DEAD) {
        threads.delete(&pid);
        return 0;
    }
    if (!pid || ctx->args[0] || state == TASK_RUNNING || !wanted_task(prev))
        return 0;
    u64 now = bpf_ktime_get_ns();
    struct thread *known = threads.lookup(&pid);
    if (known) {
        known->since = now;
        return 0;
    }
    struct thread thread = {.since = now};
    if (threads.update(&pid, &thread))
        map_full();
    return 0;
}

int on_waking(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *woken = (struct task_struct *)ctx->args[0];
    u32 pid = READ(woken, pid);
    struct thread *thread = threads.lookup(&pid);
    if (!thread)
        return 0;
    u64 since = thread->since, passed = bpf_ktime_get_ns() - since;
    thread->since = 0;
    thread->woken = since + passed;
    thread->waker = acting_thread(ctx);
    if (!since || passed < PARAM_min) // 0: it was about to wait
        return 0;

    struct key key = {.tgid = bpf_get_current_pid_tgid() >> 32, .user = NO_STACK, .kernel = NO_STACK};
    name_thread(&key, current_thread());
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
