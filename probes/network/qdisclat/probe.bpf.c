#include "ebpftop.h"

#define AT_ONCE 64 // packets dequeued in one batch, at most

struct key {
    char device[16];
    u32 slot;
};
BPF_HASH(delay, struct key, u64, 65536); // bounded: by network devices × slots

struct device {
    char name[16];
};
struct packets {
    u64 left;  // dequeued
    u64 timed; // of these, known since they were queued
};
BPF_HASH(packets, struct device, struct packets, 4096); // bounded: by network devices

// When each packet was queued. LRU, because dropped packets are never dequeued.
BPF_TABLE("lru_hash", u64, u64, queued, 65536);

int on_enqueue(struct bpf_raw_tracepoint_args *ctx)
{
    u64 packet = ctx->args[2];
    u64 now = bpf_ktime_get_ns();
    if (queued.update(&packet, &now))
        map_full();
    return 0;
}

static void count(struct key *key)
{
    u64 zero = 0;
    u64 *times = delay.lookup_or_try_init(key, &zero);
    if (!times) {
        map_full();
        return;
    }
    __sync_fetch_and_add(times, 1);
}

static void count_packets(struct key *key, u32 left, u32 timed)
{
    struct device device = {};
    __builtin_memcpy(device.name, key->device, sizeof(device.name));
    struct packets zero = {};
    struct packets *found = packets.lookup_or_try_init(&device, &zero);
    if (!found) {
        map_full();
        return;
    }
    __sync_fetch_and_add(&found->left, left);
    __sync_fetch_and_add(&found->timed, timed);
}

int on_dequeue(struct bpf_raw_tracepoint_args *ctx)
{
    struct netdev_queue *queue = (struct netdev_queue *)ctx->args[1];
    struct sk_buff *skb = (struct sk_buff *)ctx->args[3];
    u64 now = bpf_ktime_get_ns();
    struct net_device *device = READ(queue, dev);
    struct key key = {};
    bpf_probe_read_kernel_str(key.device, sizeof(key.device), &device->name);
    u32 left = 0, timed = 0;
    for (int i = 0; i < AT_ONCE && skb; i++) { // a list if the driver takes several packets
        u64 packet = (u64)skb;
        u64 *since = queued.lookup(&packet);
        left++;
        if (since) {
            timed++;
            key.slot = ll_slot(now - *since);
            queued.delete(&packet);
            count(&key);
        }
        skb = READ(skb, next);
    }
    if (left)
        count_packets(&key, left, timed);
    return 0;
}
