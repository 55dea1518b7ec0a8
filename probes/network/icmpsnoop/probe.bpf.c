#include "ebpftop_sockets.h"

struct event {
    u64 time;
    u32 message; // IP version, type, code: as the decoder icmp reads them
    u32 bytes;   // of the IP packet
    u8 source[ADDRESS_SIZE];
    u8 destination[ADDRESS_SIZE];
    char device[16];
    char what[9];
};
BPF_RINGBUF_OUTPUT(events, 1024);

static void look(struct sk_buff *skb, const u8 *header, u32 bytes, const char *what)
{
    struct packet packet = {};
    if (!read_packet(skb, header, &packet))
        return;
    if (packet.protocol != IPPROTO_ICMP && packet.protocol != IPPROTO_ICMPV6)
        return;
    if (!wanted_address(packet.source, packet.destination))
        return;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    struct net_device *device = READ(skb, dev);
    u32 version = packet.protocol == IPPROTO_ICMP ? 4 : 6;
    event->time = bpf_ktime_get_ns();
    event->message = version << 16 | packet.source_port; // type and code are where other protocols have that port
    event->bytes = bytes;
    __builtin_memcpy(event->source, packet.source, sizeof(event->source));
    __builtin_memcpy(event->destination, packet.destination, sizeof(event->destination));
    bpf_probe_read_kernel_str(event->device, sizeof(event->device), &device->name);
    __builtin_memcpy(event->what, what, sizeof(event->what));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_send(struct bpf_raw_tracepoint_args *ctx)
{
    struct sk_buff *skb = (struct sk_buff *)ctx->args[0];
    const u8 *header = ip_header(skb);
    u32 before = header - (const u8 *)READ(skb, data); // the link header
    const char sent[9] = "sent";
    look(skb, header, READ(skb, len) - before, sent);
    return 0;
}

int on_receive(struct bpf_raw_tracepoint_args *ctx)
{
    struct sk_buff *skb = (struct sk_buff *)ctx->args[0];
    const char received[9] = "received";
    look(skb, (const u8 *)READ(skb, data), READ(skb, len), received);
    return 0;
}
