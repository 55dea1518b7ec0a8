#include "ebpftop.h"
#include "ebpftop_quota_maps.h"

struct event {
    u64 time;
    u64 waited;
    u32 tgid;
    u32 cpu;
    u32 before; // the process that ran just before, 0 if none did or a CPU quota is to blame
    u32 tid;
    char comm[COMM_SIZE];
    char before_comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

BPF_HASH(queued, u32, u64, 65536); // thread → start of its wait; bounded: by the threads that wait for a CPU

#define HELD (1ULL << 63) // marks the start of a wait of a thread that a CPU quota holds back

static void enqueue(struct task_struct *task, u64 start)
{
    u32 thread = READ(task, pid);
    if (thread && wanted_task(task) && queued.update(&thread, &start)) // the idle thread, 0, never waits
        map_full();
}

int on_wakeup(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    u64 now = bpf_ktime_get_ns();
    enqueue(task, held_waking(task) ? now | HELD : now);
    return 0;
}

static void report(struct task_struct *prev, struct task_struct *next, u64 now, u64 waited, int held)
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
    event->before = held ? 0 : READ(prev, tgid);
    event->tid = READ(next, pid);
    bpf_probe_read_kernel(event->comm, sizeof(event->comm), &next->comm);
    if (held)
        __builtin_memcpy(event->before_comm, "(CPU quota)\0\0\0\0", COMM_SIZE);
    else if (event->before)
        bpf_probe_read_kernel(event->before_comm, sizeof(event->before_comm), &prev->comm);
    else // the idle thread held up nobody: the CPU took its time to wake up
        __builtin_memcpy(event->before_comm, "(idle)\0\0\0\0\0\0\0\0\0", COMM_SIZE);
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    bool preempted = ctx->args[0];
    struct task_struct *prev = (struct task_struct *)ctx->args[1];
    struct task_struct *next = (struct task_struct *)ctx->args[2];
    u64 now = bpf_ktime_get_ns();
    if (preempted || READ(prev, __state) == TASK_RUNNING)
        enqueue(prev, held_leaving(prev, now) ? now | HELD : now);

    u32 thread = READ(next, pid);
    u64 *since = queued.lookup(&thread);
    if (!since)
        return 0;
    u64 start = *since & ~HELD, waited = now - start;
    int held = *since & HELD ? 1 : 0;
    queued.delete(&thread);
    if (waited > PARAM_slower)
        report(prev, next, now, waited, held || held_waiting(next, start));
    return 0;
}
