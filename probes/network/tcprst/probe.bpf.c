#include "ebpftop_sockets.h"

struct event {
    u64 time;
    s32 reason; // -1 if the kernel gives none
    u32 state;  // 0 without a socket
    u16 local_port;
    u16 remote_port;
    u8 local[ADDRESS_SIZE];
    u8 remote[ADDRESS_SIZE];
    char what[9];
};
BPF_RINGBUF_OUTPUT(events, 1024);

// Both ends are those of the packet that caused the reset, seen from here, or else of the socket.
static void report(struct sock *sk, struct packet *cause, s32 reason, const char *what)
{
    if (cause ? !wanted_packet(cause) : !wanted_socket(sk))
        return;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->reason = reason;
    event->state = sk ? READ(sk, __sk_common.skc_state) : 0;
    if (cause) {
        event->local_port = cause->destination_port;
        event->remote_port = cause->source_port;
        __builtin_memcpy(event->local, cause->destination, sizeof(event->local));
        __builtin_memcpy(event->remote, cause->source, sizeof(event->remote));
    } else {
        event->local_port = local_port(sk);
        event->remote_port = remote_port(sk);
        local_address(sk, event->local);
        remote_address(sk, event->remote);
    }
    __builtin_memcpy(event->what, what, sizeof(event->what));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

#ifdef VARIANT_reason
int on_send(struct bpf_raw_tracepoint_args *ctx)
{
    struct sock *sk = (struct sock *)ctx->args[0];
    struct sk_buff *skb = (struct sk_buff *)ctx->args[1];
    struct packet cause = {};
    const char sent[9] = "sent";
    if (skb && read_packet(skb, ip_header(skb), &cause))
        report(sk, &cause, ctx->args[2], sent);
    else if (sk)
        report(sk, NULL, ctx->args[2], sent);
    return 0;
}
#endif

#ifdef VARIANT_socket
// The packet may be the one that caused the reset, or the reset itself, so the socket is used.
int on_send(struct bpf_raw_tracepoint_args *ctx)
{
    const char sent[9] = "sent";
    report((struct sock *)ctx->args[0], NULL, -1, sent);
    return 0;
}
#endif

int on_receive(struct bpf_raw_tracepoint_args *ctx)
{
    const char received[9] = "received";
    report((struct sock *)ctx->args[0], NULL, -1, received);
    return 0;
}
