#include "ebpftop_sockets.h"

struct event {
    u64 time;
    u32 user; // the socket's owner
    u32 state;
    u32 bytes;
    u16 local_port;
    u16 remote_port;
    u8 local[ADDRESS_SIZE];
    u8 remote[ADDRESS_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 256);

struct address {
    u8 remote[ADDRESS_SIZE];
};
struct count {
    u64 segments;
    u64 bytes;
};
BPF_TABLE("lru_hash", struct address, struct count, by_address, 8192);

static void count(struct sock *end, u32 bytes)
{
    struct address address;
    remote_address(end, address.remote);
    struct count zero = {};
    struct count *count = by_address.lookup_or_try_init(&address, &zero);
    if (!count) {
        map_full();
        return;
    }
    __sync_fetch_and_add(&count->segments, 1);
    __sync_fetch_and_add(&count->bytes, bytes);
}

// `end` has both addresses; it may be a connection request, and then only `sk`, the listener, has an owner.
static void report(struct sock *sk, struct sock *end, u32 bytes)
{
    if (!wanted_socket(end))
        return;
    count(end, bytes);
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->user = READ(sk, sk_uid.val);
    event->state = READ(end, __sk_common.skc_state);
    event->bytes = bytes;
    event->local_port = local_port(end);
    event->remote_port = remote_port(end);
    local_address(end, event->local);
    remote_address(end, event->remote);
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

int on_retransmit(struct bpf_raw_tracepoint_args *ctx)
{
    struct sock *sk = (struct sock *)ctx->args[0];
    struct sk_buff *skb = (struct sk_buff *)ctx->args[1];
    report(sk, sk, READ(skb, len));
    return 0;
}

int on_synack(struct bpf_raw_tracepoint_args *ctx)
{
    report((struct sock *)ctx->args[0], (struct sock *)ctx->args[1], 0);
    return 0;
}
