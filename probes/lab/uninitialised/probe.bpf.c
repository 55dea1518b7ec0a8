#include "ebpftop.h"

struct event {
    u64 time;
    u32 tgid;
    u32 unused;
};
BPF_RINGBUF_OUTPUT(events, 16);

int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
    u64 flags;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->unused = 0;
    events.ringbuf_submit(event, flags);
    return 0;
}
