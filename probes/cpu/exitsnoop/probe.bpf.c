#include "ebpftop.h"

struct event {
    u64 time;
    u64 lived;
    u32 tgid;
    u32 ppid;
    u32 user;
    u32 status; // passed to exit()
    u32 signal; // that killed it, or 0
    u32 core;   // 1 if the kernel wrote a core dump
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

#define GROUP_EXIT 4 // SIGNAL_GROUP_EXIT: exit_group() or a signal ends all threads

#ifdef VARIANT_group_dead
static int is_last(struct bpf_raw_tracepoint_args *ctx, struct task_struct *leader, struct signal_struct *signal)
{
    return ctx->args[1] & 1;
}
#endif

#ifdef VARIANT_live_count
// Two threads that exit at once may both see that none is left: the first one to record the process reports it.
struct life {
    u64 start;
    u32 tgid;
    u32 unused;
};
BPF_TABLE("lru_hash", struct life, u8, told, 4096);

static int is_last(struct bpf_raw_tracepoint_args *ctx, struct task_struct *leader, struct signal_struct *signal)
{
    if (READ(signal, live.counter))
        return 0;
    struct life life = {.start = READ(leader, start_time), .tgid = READ(leader, tgid)};
    u8 once = 1;
    int error = told.insert(&life, &once);
    if (error && error != -EEXIST)
        map_full();
    return error != -EEXIST;
}
#endif

int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    struct task_struct *leader = READ(task, group_leader);
    struct task_struct *parent = READ(leader, real_parent);
    struct signal_struct *signal = READ(task, signal);
#ifdef PARAM_parent
    if (READ(parent, tgid) != PARAM_parent)
        return 0;
#endif
    if (!wanted_task(leader) || !is_last(ctx, leader, signal))
        return 0;
    u32 code = READ(signal, flags) & GROUP_EXIT ? READ(signal, group_exit_code) : READ(leader, exit_code);
#ifdef PARAM_failed
    if (!code)
        return 0;
#endif
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->lived = event->time - READ(leader, start_time);
    event->tgid = READ(leader, tgid);
    event->ppid = READ(parent, tgid);
    event->user = READ(READ(leader, cred), uid.val);
    event->status = code >> 8 & 0xff;
    event->signal = code & 0x7f;
    event->core = code >> 7 & 1;
    bpf_probe_read_kernel(event->comm, sizeof(event->comm), &leader->comm);
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}
