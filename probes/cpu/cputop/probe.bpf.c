#include "ebpftop.h"

struct use {
    u64 time; // ns on a CPU
    u64 switches;
};
BPF_HASH(by_process, u32, struct use, 32768);

BPF_PERCPU_ARRAY(since, u64, 1); // up to when this CPU's time is counted

// Counts the current thread's time on this CPU up to now. Both callers run with interrupts disabled, so neither interrupts
// the other.
static int count(u32 switches)
{
    u32 only = 0;
    u64 now = bpf_ktime_get_ns();
    u64 *counted = since.lookup(&only);
    if (!counted)
        return 0;
    u64 start = *counted;
    *counted = now;
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    if (!start || !tgid || !wanted_current()) // the idle thread is 0
        return 0;
    struct use zero = {};
    struct use *process = by_process.lookup_or_try_init(&tgid, &zero);
    if (!process) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(&process->time, now - start);
    __sync_fetch_and_add(&process->switches, switches);
    return 0;
}

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    return count(1);
}

// A thread that runs on and on isn't switched out: its time is counted while it runs.
int on_clock(struct bpf_perf_event_data *ctx)
{
    return count(0);
}
