#include "ebpftop_listeners.h"
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
BPF_RINGBUF_OUTPUT(events, 1024);

#define TCP_FLAGS 13 // where they are in a TCP header
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

#ifdef SKB_DROP_REASON_TCP_LISTEN_OVERFLOW
#define LISTEN_OVERFLOW SKB_DROP_REASON_TCP_LISTEN_OVERFLOW
#else
#define LISTEN_OVERFLOW 0xffffffffU // older kernels have no such reason; decoded under the same name
#endif

BPF_HASH(by_reason, u32, u64, 1024); // bounded: by the kernel's drop reasons
BPF_HASH(normal, u32, u64, 1024);    // bounded: like by_reason

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

static void count_normal(u32 reason)
{
    u64 zero = 0;
    u64 *packets = normal.lookup_or_try_init(&reason, &zero);
    if (!packets) {
        map_full();
        return;
    }
    __sync_fetch_and_add(packets, 1);
}

// Whether nothing was lost, as a rule: a packet freed without a reason, or a FIN without data that waited at a socket
// which its process had closed already.
static int is_normal(struct sk_buff *skb, u32 reason)
{
#ifdef SKB_DROP_REASON_QUEUE_PURGE
    if (reason == SKB_DROP_REASON_QUEUE_PURGE && !READ(skb, len))
        return 1;
#endif
    return reason == SKB_DROP_REASON_NOT_SPECIFIED;
}

static int report(struct sk_buff *skb, const struct packet *packet, u8 flags, u32 reason)
{
    if (is_normal(skb, reason)) {
        count_normal(reason);
#ifndef PARAM_unspecified
        return 0;
#endif
    } else {
        count(reason);
    }
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->reason = reason;
    event->bytes = READ(skb, len);
    event->source_port = packet->source_port;
    event->destination_port = packet->destination_port;
    __builtin_memcpy(event->source, packet->source, sizeof(event->source));
    __builtin_memcpy(event->destination, packet->destination, sizeof(event->destination));
    event->flags = flags;
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}

int on_drop(struct bpf_raw_tracepoint_args *ctx)
{
    struct sk_buff *skb = (struct sk_buff *)ctx->args[0];
    u32 reason = ctx->args[2];
    struct packet packet = {};
    if (!read_packet(skb, ip_header(skb), &packet) || packet.protocol != IPPROTO_TCP || !wanted_packet(&packet))
        return 0;
    u8 flags = 0;
    bpf_probe_read_kernel(&flags, 1, packet.inside + TCP_FLAGS);
#ifdef FINDS_LISTENERS
    // The last packet of a handshake, refused by a full accept queue: NO_SOCKET if it brought a SYN cookie back, or no
    // reason in older kernels; TCP takes the device off packets of connections, which are freed without a reason, too.
    if ((reason == SKB_DROP_REASON_NO_SOCKET || (reason == SKB_DROP_REASON_NOT_SPECIFIED && READ(skb, dev))) &&
        READ(skb, skb_iif) && (flags & (SYN | RST | ACK)) == ACK && is_for_full_listener(skb, &packet))
        reason = LISTEN_OVERFLOW;
#endif
    return report(skb, &packet, flags, reason);
}

// A SYN for a listener whose accept queue is full is dropped, but freed like one that was taken: as consumed. TCP has
// taken the device off a packet that reaches a listener; packets that were sent or forwarded still have theirs.
int on_consume(struct bpf_raw_tracepoint_args *ctx)
{
#ifdef FINDS_LISTENERS
    struct sk_buff *skb = (struct sk_buff *)ctx->args[0];
    if (READ(skb, dev) || !READ(skb, skb_iif))
        return 0;
    u8 flags = 0;
    bpf_probe_read_kernel(&flags, 1, READ(skb, head) + READ(skb, transport_header) + TCP_FLAGS);
    if ((flags & (SYN | ACK)) != SYN)
        return 0;
    struct packet packet = {};
    if (!read_packet(skb, ip_header(skb), &packet) || packet.protocol != IPPROTO_TCP || !wanted_packet(&packet))
        return 0;
    if (is_for_full_listener(skb, &packet))
        report(skb, &packet, flags, LISTEN_OVERFLOW);
#endif
    return 0;
}
