#include "ebpftop.h"
#include "ebpftop_queued_maps.h"
#include "ebpftop_quota_maps.h"

struct use {
    u64 ran;    // ns on a CPU
    u64 waited; // ns that it could have run, but CPUs were busy
    u64 held;   // ns that a CPU quota held it back
    u64 times;  // how often that was
};
BPF_HASH(processes, u32, struct use, 32768);

struct pair {
    u32 tgid;  // that waited
    u32 other; // that ran on its CPU just before
    char other_comm[COMM_SIZE];
};
BPF_HASH(instead, struct pair, u64, 65536); // ns

BPF_PERCPU_ARRAY(counted, u64, 1); // up to when this CPU's time is counted

static struct use *use_of(u32 tgid)
{
    struct use zero = {};
    struct use *use = processes.lookup_or_try_init(&tgid, &zero);
    if (!use)
        map_full();
    return use;
}

// Counts the current thread's time on this CPU up to now. Both callers run with interrupts disabled, so neither interrupts
// the other.
static void add_run(u64 now)
{
    u32 only = 0, tgid = bpf_get_current_pid_tgid() >> 32;
    u64 *until = counted.lookup(&only);
    if (!until)
        return; // never
    u64 start = *until;
    *until = now;
    if (!start || !tgid || !wanted_current()) // the idle thread is 0
        return;
    struct use *use = use_of(tgid);
    if (use)
        __sync_fetch_and_add(&use->ran, now - start);
}

static void add_wait(u32 tgid, struct task_struct *before, u64 waited)
{
    struct use *use = use_of(tgid);
    if (use)
        __sync_fetch_and_add(&use->waited, waited);
    struct pair pair = {.tgid = tgid, .other = READ(before, tgid)};
    if (!pair.other) // nobody did: the CPU took its time to wake up
        return;
    bpf_probe_read_kernel(pair.other_comm, sizeof(pair.other_comm), &before->comm);
    u64 zero = 0;
    u64 *total = instead.lookup_or_try_init(&pair, &zero);
    if (!total) {
        map_full();
        return;
    }
    __sync_fetch_and_add(total, waited);
}

static void add_held(u32 tgid, u64 held)
{
    struct use *use = use_of(tgid);
    if (!use)
        return;
    __sync_fetch_and_add(&use->held, held);
    __sync_fetch_and_add(&use->times, 1);
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
    add_run(now);
    u32 leaving = bpf_get_current_pid_tgid();
    if (leaving && (preempted || READ(prev, __state) == TASK_RUNNING))
        enqueue(leaving, now, held_leaving(prev, now));

    u32 pid = READ(next, pid);
    if (!pid) // the idle thread never waits
        return 0;
    u64 entry = dequeue(pid), since = entry & (HELD - 1);
    if (!entry || !wanted_task(next))
        return 0;
    if (entry & HELD || held_waiting(next, since))
        add_held(READ(next, tgid), now - since);
    else
        add_wait(READ(next, tgid), prev, now - since);
    return 0;
}

// A thread that runs on and on isn't switched out: its time is counted while it runs.
int on_clock(struct bpf_perf_event_data *ctx)
{
    add_run(bpf_ktime_get_ns());
    return 0;
}
