#include "ebpftop.h"

struct event {
    u64 time;
    u64 waited;
    u32 tgid;
    u32 cpu;
    u32 before; // the process that ran just before, 0 if none
    u32 unused;
    char comm[COMM_SIZE];
    char before_comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 256);

BPF_HASH(queued, u32, u64, 65536); // thread → start of its wait; bounded: by the threads that wait for a CPU

static void enqueue(struct task_struct *task, u64 now)
{
    u32 thread = READ(task, pid);
    if (thread && wanted_task(task) && queued.update(&thread, &now)) // the idle thread, 0, never waits
        map_full();
}

int on_wakeup(struct bpf_raw_tracepoint_args *ctx)
{
    enqueue((struct task_struct *)ctx->args[0], bpf_ktime_get_ns());
    return 0;
}

static void report(struct task_struct *prev, struct task_struct *next, u64 now, u64 waited)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = now;
    event->waited = waited;
    event->tgid = READ(next, tgid);
    event->cpu = bpf_get_smp_processor_id();
    event->before = READ(prev, tgid);
    event->unused = 0;
    bpf_probe_read_kernel(event->comm, sizeof(event->comm), &next->comm);
    if (event->before)
        bpf_probe_read_kernel(event->before_comm, sizeof(event->before_comm), &prev->comm);
    else // the idle thread held up nobody: the CPU took its time to wake up
        __builtin_memcpy(event->before_comm, "(idle)\0\0\0\0\0\0\0\0\0", COMM_SIZE);
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    bool preempted = ctx->args[0];
    struct task_struct *prev = (struct task_struct *)ctx->args[1];
    struct task_struct *next = (struct task_struct *)ctx->args[2];
    u64 now = bpf_ktime_get_ns();
    if (preempted || READ(prev, __state) == TASK_RUNNING)
        enqueue(prev, now);

    u32 thread = READ(next, pid);
    u64 *since = queued.lookup(&thread);
    if (!since)
        return 0;
    u64 waited = now - *since;
    queued.delete(&thread);
    if (waited > PARAM_slower)
        report(prev, next, now, waited);
    return 0;
}
