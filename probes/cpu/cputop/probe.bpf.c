#include "ebpftop.h"
#include "ebpftop_thread.h"

struct use {
    u64 time; // ns on a CPU
    u64 switches;
};
struct whose {
    u32 tgid;
    THREAD_FIELDS
};
BPF_HASH(by_process, struct whose, struct use, 32768); // or by thread

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
    struct whose whose = {.tgid = bpf_get_current_pid_tgid() >> 32};
    if (!start || !whose.tgid || !wanted_current()) // the idle thread is 0
        return 0;
    name_thread(&whose, current_thread());
    struct use zero = {};
    struct use *use = by_process.lookup_or_try_init(&whose, &zero);
    if (!use) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(&use->time, now - start);
    __sync_fetch_and_add(&use->switches, switches);
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
