#include "ebpftop.h"

struct event {
    u64 time;
    u32 tgid;
    u32 signal;
    u32 target;
    s32 origin; // si_code
    u32 result; // TRACE_SIGNAL_*
    u32 unused;
    char comm[COMM_SIZE];
    char target_comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

#define BY_KERNEL 0x80 // SI_KERNEL

static s32 origin_of(u64 info)
{
    if (info <= 1) // SEND_SIG_NOINFO and SEND_SIG_PRIV are used instead of a pointer
        return BY_KERNEL;
    return READ((struct kernel_siginfo *)info, si_code);
}

static int wanted_signal(u32 signal)
{
#ifdef PARAM_signal
    return signal == PARAM_signal;
#elif defined(PARAM_harmless)
    return 1;
#else
    return signal != 17 && signal != 23 && signal != 28; // SIGCHLD, SIGURG, SIGWINCH
#endif
}

int on_signal(struct bpf_raw_tracepoint_args *ctx)
{
    u32 signal = ctx->args[0];
    struct task_struct *target = (struct task_struct *)ctx->args[2];
    if (!wanted_signal(signal) || !wanted_current())
        return 0;
#ifdef PARAM_target
    if (READ(target, tgid) != PARAM_target)
        return 0;
#endif
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->signal = signal;
    event->target = READ(target, tgid);
    event->origin = origin_of(ctx->args[1]);
    event->result = ctx->args[4];
    event->unused = 0;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    bpf_probe_read_kernel(event->target_comm, sizeof(event->target_comm), &target->comm);
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}
