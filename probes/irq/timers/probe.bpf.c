#include "ebpftop.h"

struct wakeups {
    u64 hrtimers;
    u64 ticks;
};
BPF_HASH(woken, u32, struct wakeups, 32768); // by process

// The kinds of timer this CPU is handling: a high-resolution timer may interrupt a tick timer's handler.
#define HRTIMER 1
#define TICK 2
BPF_PERCPU_ARRAY(handling, u32, 1);

static void handle(u32 begun, u32 ended)
{
    u32 only = 0;
    u32 *kinds = handling.lookup(&only);
    if (kinds)
        *kinds = (*kinds | begun) & ~ended;
}

int on_hrtimer(struct bpf_raw_tracepoint_args *ctx)
{
    handle(HRTIMER, 0);
    return 0;
}

int on_hrtimer_end(struct bpf_raw_tracepoint_args *ctx)
{
    handle(0, HRTIMER);
    return 0;
}

int on_timer(struct bpf_raw_tracepoint_args *ctx)
{
    handle(TICK, 0);
    return 0;
}

int on_timer_end(struct bpf_raw_tracepoint_args *ctx)
{
    handle(0, TICK);
    return 0;
}

int on_waking(struct bpf_raw_tracepoint_args *ctx)
{
    u32 only = 0;
    u32 *kinds = handling.lookup(&only);
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    if (!kinds || !*kinds || !wanted_task(task))
        return 0;
    u32 tgid = READ(task, tgid);
    struct wakeups zero = {};
    struct wakeups *wakeups = woken.lookup_or_try_init(&tgid, &zero);
    if (!wakeups) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(*kinds & HRTIMER ? &wakeups->hrtimers : &wakeups->ticks, 1);
    return 0;
}
