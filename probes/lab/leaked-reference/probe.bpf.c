#include "ebpftop.h"

struct event {
    u64 time;
    u32 tgid;
    u32 user;
};
BPF_RINGBUF_OUTPUT(events, 16);

int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->user = bpf_get_current_uid_gid();
    if (!event->user)
        return 0;
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
