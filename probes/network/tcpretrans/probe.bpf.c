#include "ebpftop_sockets.h"

struct event {
    u64 time;
    u32 user; // the socket's owner
    u32 state;
    u32 bytes;
    u32 segments;
    u32 unused;
    u16 local_port;
    u16 remote_port;
    u8 local[ADDRESS_SIZE];
    u8 remote[ADDRESS_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

struct address {
    u8 remote[ADDRESS_SIZE];
};
struct count {
    u64 segments;
    u64 bytes;
};
BPF_TABLE("lru_hash", struct address, struct count, by_address, 8192);

static void count(struct sock *end, u32 segments, u32 bytes)
{
    struct address address;
    remote_address(end, address.remote);
    struct count zero = {};
    struct count *count = by_address.lookup_or_try_init(&address, &zero);
    if (!count) {
        map_full();
        return;
    }
    __sync_fetch_and_add(&count->segments, segments);
    __sync_fetch_and_add(&count->bytes, bytes);
}

// `end` has both addresses; it may be a connection request, and then only `sk`, the listener, has an owner.
static void report(struct sock *sk, struct sock *end, u32 segments, u32 bytes)
{
    if (!wanted_socket(end))
        return;
    count(end, segments, bytes);
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->user = READ(sk, sk_uid.val);
    event->state = READ(end, __sk_common.skc_state);
    event->bytes = bytes;
    event->segments = segments;
    event->unused = 0;
    event->local_port = local_port(end);
    event->remote_port = remote_port(end);
    local_address(end, event->local);
    remote_address(end, event->remote);
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

#if defined(VARIANT_sent) || defined(VARIANT_raw)
int on_retransmit(struct bpf_raw_tracepoint_args *ctx)
{
    struct sock *sk = (struct sock *)ctx->args[0];
    struct sk_buff *skb = (struct sk_buff *)ctx->args[1];
#ifdef VARIANT_sent
    if ((s32)ctx->args[2]) // it could not be sent: for example, the first copy hasn't left this machine yet
        return 0;
#endif
    u16 segments = READ((struct tcp_skb_cb *)skb->cb, tcp_gso_segs); // which the card will cut it into
    report(sk, sk, segments, READ(skb, len));
    return 0;
}

int on_synack(struct bpf_raw_tracepoint_args *ctx)
{
    report((struct sock *)ctx->args[0], (struct sock *)ctx->args[1], 1, 0);
    return 0;
}
#endif
