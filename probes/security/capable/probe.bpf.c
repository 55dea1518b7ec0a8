#include "ebpftop.h"

struct event {
    u64 time;
    u32 tgid;
    u32 user;
    u32 capability;
    s32 result; // 0, or -EPERM
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

static void report(u32 capability, s32 result)
{
#ifdef PARAM_refused
    if (!result)
        return;
#endif
    if (!wanted_current())
        return;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->user = bpf_get_current_uid_gid();
    event->capability = capability;
    event->result = result;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

#ifdef VARIANT_raw
int on_check(struct bpf_raw_tracepoint_args *ctx)
{
    report(ctx->args[3], ctx->args[4]);
    return 0;
}
#endif

#ifdef VARIANT_fexit
KRETFUNC_PROBE(cap_capable, const struct cred *cred, struct user_namespace *target, int capability,
               unsigned int options, int result)
{
    report(capability, result);
    return 0;
}
#endif

#ifdef VARIANT_kprobe
BPF_HASH(asked, u32, u32); // thread → capability; bounded: by the threads inside cap_capable

int on_call(struct pt_regs *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u32 capability = PT_REGS_PARM3(ctx);
    if (asked.update(&thread, &capability))
        map_full();
    return 0;
}

int on_return(struct pt_regs *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u32 *capability = asked.lookup(&thread);
    if (!capability)
        return 0;
    report(*capability, PT_REGS_RC(ctx));
    asked.delete(&thread);
    return 0;
}
#endif
