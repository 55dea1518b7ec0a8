#include "ebpftop.h"

struct key {
    char device[16];
    u32 namespace; // its inode: devices of two namespaces may have one name
};
struct traffic {
    u64 received;
    u64 received_bytes;
    u64 sent;
    u64 sent_bytes;
    u64 refused; // by the driver, to be retried
};
// Per CPU, and each field is written by one program only, so counting needs no atomics.
BPF_PERCPU_HASH(traffic, struct key, struct traffic, 1024); // bounded: by network devices

static struct traffic *traffic_of(struct net_device *device)
{
    struct net *net = READ(device, nd_net.net);
    struct key key = {.namespace = READ(net, ns.inum)};
    bpf_probe_read_kernel_str(key.device, sizeof(key.device), &device->name);
    struct traffic zero = {};
    struct traffic *found = traffic.lookup_or_try_init(&key, &zero);
    if (!found)
        map_full();
    return found;
}

int on_sent(struct bpf_raw_tracepoint_args *ctx)
{
    struct traffic *traffic = traffic_of((struct net_device *)ctx->args[2]);
    if (!traffic)
        return 0;
    if (ctx->args[1]) { // NETDEV_TX_BUSY, or dropped
        traffic->refused++;
        return 0;
    }
    traffic->sent++;
    traffic->sent_bytes += (u32)ctx->args[3];
    return 0;
}

int on_received(struct bpf_raw_tracepoint_args *ctx)
{
    struct sk_buff *skb = (struct sk_buff *)ctx->args[0];
    struct traffic *traffic = traffic_of(READ(skb, dev));
    if (!traffic)
        return 0;
    traffic->received++;
    traffic->received_bytes += READ(skb, len);
    return 0;
}
