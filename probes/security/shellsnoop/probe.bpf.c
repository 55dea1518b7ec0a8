#include "ebpftop.h"

#define LINE_SIZE 256

struct event {
    u64 time;
    u32 tgid;
    u32 user;
    char line[LINE_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

int on_line(struct pt_regs *ctx)
{
    void *line = (void *)PT_REGS_RC(ctx);
    if (!line || !wanted_current()) // NULL: end of input
        return 0;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->user = bpf_get_current_uid_gid();
    if (bpf_probe_read_user_str(event->line, sizeof(event->line), line) < 0)
        event->line[0] = 0;
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}
