#include "ebpftop_sockets.h"

struct event {
    u64 time;
    u32 reason;
    u32 bytes; // including the headers still present
    u16 source_port;
    u16 destination_port;
    u8 source[ADDRESS_SIZE];
    u8 destination[ADDRESS_SIZE];
    u8 flags;
};
BPF_RINGBUF_OUTPUT(events, 256);

BPF_HASH(by_reason, u32, u64, 1024); // bounded: by the kernel's drop reasons

static void count(u32 reason)
{
    u64 zero = 0;
    u64 *packets = by_reason.lookup_or_try_init(&reason, &zero);
    if (!packets) {
        map_full();
        return;
    }
    __sync_fetch_and_add(packets, 1);
}

int on_drop(struct bpf_raw_tracepoint_args *ctx)
{
    struct sk_buff *skb = (struct sk_buff *)ctx->args[0];
    u32 reason = ctx->args[2];
    struct packet packet = {};
    if (!read_packet(skb, ip_header(skb), &packet) || packet.protocol != IPPROTO_TCP || !wanted_packet(&packet))
        return 0;
    count(reason);
#ifndef PARAM_unspecified
    if (reason == SKB_DROP_REASON_NOT_SPECIFIED)
        return 0;
#endif
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->reason = reason;
    event->bytes = READ(skb, len);
    event->source_port = packet.source_port;
    event->destination_port = packet.destination_port;
    __builtin_memcpy(event->source, packet.source, sizeof(event->source));
    __builtin_memcpy(event->destination, packet.destination, sizeof(event->destination));
    bpf_probe_read_kernel(&event->flags, 1, packet.inside + 13);
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
