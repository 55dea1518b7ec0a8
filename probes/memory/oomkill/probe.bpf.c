#include "ebpftop.h"

struct event {
    u64 time;
    u64 resident; // pages
    u64 virtual;
    u64 cgroup; // the victim's
    u32 tgid;   // the victim
    u32 user;
    u32 trigger; // the process whose allocation failed
    s32 adjusted;
    char comm[COMM_SIZE];
    char trigger_comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 16);

// Pages of one kind. Newer kernels keep the exact number per CPU; this one is within a few dozen pages of it.
static s64 pages(struct mm_struct *mm, u32 kind)
{
#ifdef HAS_mm_rss_stat__count
    return READ(mm, rss_stat.count[kind].counter);
#else
    return READ(mm, rss_stat[kind].count);
#endif
}

static int report(struct task_struct *victim)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    struct mm_struct *mm = READ(victim, mm);
    event->time = bpf_ktime_get_ns();
    event->resident = pages(mm, MM_FILEPAGES) + pages(mm, MM_ANONPAGES) + pages(mm, MM_SHMEMPAGES);
    event->virtual = READ(mm, total_vm);
    event->cgroup = READ(READ(READ(READ(victim, cgroups), dfl_cgrp), kn), id);
    event->tgid = READ(victim, tgid);
    event->user = READ(READ(victim, cred), uid.val);
    event->trigger = bpf_get_current_pid_tgid() >> 32;
    event->adjusted = READ(READ(victim, signal), oom_score_adj);
    bpf_probe_read_kernel(event->comm, sizeof(event->comm), &victim->comm);
    bpf_get_current_comm(event->trigger_comm, sizeof(event->trigger_comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}

#ifdef VARIANT_raw
int on_victim(struct bpf_raw_tracepoint_args *ctx)
{
    return report((struct task_struct *)ctx->args[0]);
}
#endif

#ifdef VARIANT_kprobe
int on_kill(struct pt_regs *ctx)
{
    struct oom_control *control = (struct oom_control *)PT_REGS_PARM1(ctx);
    return report(READ(control, chosen));
}
#endif
