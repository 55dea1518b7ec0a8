#include "ebpftop_sockets.h"

struct event {
    u64 time;
    u32 tgid;
    u32 user;
    u8 local[ADDRESS_SIZE];
    u8 remote[ADDRESS_SIZE];
    u16 remote_port;
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

int on_state(struct bpf_raw_tracepoint_args *ctx)
{
    struct sock *sk = (struct sock *)ctx->args[0];
    int after = ctx->args[2];
    if (after != TCP_SYN_SENT || !is_tcp(sk)) // SYN_SENT: inside connect()
        return 0;
    if (!wanted_current() || !wanted_socket(sk))
        return 0;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->user = bpf_get_current_uid_gid();
    local_address(sk, event->local);
    remote_address(sk, event->remote);
    event->remote_port = remote_port(sk);
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}
