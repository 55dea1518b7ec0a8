#include "ebpftop.h"
#include "ebpftop_queued_maps.h"
#include "ebpftop_quota_maps.h"
#include "ebpftop_thread.h"

struct whose {
    u32 tgid;
    THREAD_FIELDS
};
struct use {
    u64 ran;    // ns on a CPU
    u64 waited; // ns that it could have run, but CPUs were busy
    u64 held;   // ns that a CPU quota held it back
    u64 times;  // how often that was
};
BPF_HASH(processes, struct whose, struct use, 32768); // or by thread

struct burden {
    u64 others_waited; // ns, for the CPU that it had just before
};
BPF_HASH(runners, struct whose, struct burden, 32768); // by process or thread

struct pair {
    u32 tgid;  // that waited
    u32 other; // that ran on its CPU just before
    char other_comm[COMM_SIZE];
};
BPF_HASH(instead, struct pair, u64, 65536); // ns

BPF_PERCPU_ARRAY(counted, u64, 1); // up to when this CPU's time is counted

static struct use *use_of(struct task_struct *task)
{
    struct whose whose = {.tgid = READ(task, tgid)};
    name_thread(&whose, task);
    struct use zero = {};
    struct use *use = processes.lookup_or_try_init(&whose, &zero);
    if (!use)
        map_full();
    return use;
}

// Counts the current thread's time on this CPU up to now. Both callers run with interrupts disabled, so neither interrupts
// the other.
static void add_run(u64 now)
{
    u32 only = 0;
    u64 *until = counted.lookup(&only);
    if (!until)
        return; // never
    u64 start = *until;
    *until = now;
    if (!start || !bpf_get_current_pid_tgid() || !wanted_current()) // the idle thread is 0
        return;
    struct use *use = use_of(current_thread());
    if (use)
        __sync_fetch_and_add(&use->ran, now - start);
}

static void blame(struct task_struct *before, u64 waited)
{
    struct whose whose = {.tgid = READ(before, tgid)};
    name_thread(&whose, before);
    struct burden zero = {};
    struct burden *burden = runners.lookup_or_try_init(&whose, &zero);
    if (!burden) {
        map_full();
        return;
    }
    __sync_fetch_and_add(&burden->others_waited, waited);
}

static void add_wait(struct task_struct *task, struct task_struct *before, u64 waited)
{
    struct use *use = use_of(task);
    if (use)
        __sync_fetch_and_add(&use->waited, waited);
    struct pair pair = {.tgid = READ(task, tgid), .other = READ(before, tgid)};
    if (!pair.other) // nobody did: the CPU took its time to wake up
        return;
    blame(before, waited);
    bpf_probe_read_kernel(pair.other_comm, sizeof(pair.other_comm), &before->comm);
    u64 zero = 0;
    u64 *total = instead.lookup_or_try_init(&pair, &zero);
    if (!total) {
        map_full();
        return;
    }
    __sync_fetch_and_add(total, waited);
}

static void add_held(struct task_struct *task, u64 held)
{
    struct use *use = use_of(task);
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
        add_held(next, now - since);
    else
        add_wait(next, prev, now - since);
    return 0;
}

// A thread that runs on and on isn't switched out: its time is counted while it runs.
int on_clock(struct bpf_perf_event_data *ctx)
{
    add_run(bpf_ktime_get_ns());
    return 0;
}
