// For network probes: the listening socket that a packet is for, from Linux 6.1 on. Touches no map.
#pragma once
#include "ebpftop_sockets.h"

#ifdef HAS_inet_hashinfo__pernet
#define FINDS_LISTENERS

#define CHAIN 16 // sockets looked at in one hash bucket

// The kernel's jhash (include/linux/jhash.h), as its hash of listeners uses it: of one word, or of an IPv6 address's four.
#define ROTATE(word, bits) ((word) << (bits) | (word) >> (32 - (bits)))

static inline __attribute__((always_inline)) u32 jhash_words(const u32 *words, u32 count, u32 start)
{
    u32 a = 0xdeadbeef + (count << 2) + start, b = a, c = a;
    if (count == 4) {
        a += words[0], b += words[1], c += words[2];
        a -= c, a ^= ROTATE(c, 4), c += b;
        b -= a, b ^= ROTATE(a, 6), a += c;
        c -= b, c ^= ROTATE(b, 8), b += a;
        a -= c, a ^= ROTATE(c, 16), c += b;
        b -= a, b ^= ROTATE(a, 19), a += c;
        c -= b, c ^= ROTATE(b, 4), b += a;
    }
    a += words[count - 1];
    c ^= b, c -= ROTATE(b, 14);
    a ^= c, a -= ROTATE(c, 11);
    b ^= a, b -= ROTATE(a, 25);
    c ^= b, c -= ROTATE(b, 16);
    a ^= c, a -= ROTATE(c, 4);
    b ^= a, b -= ROTATE(a, 14);
    c ^= b, c -= ROTATE(b, 24);
    return c;
}

// The network namespace that a received packet's route belongs to.
static inline __attribute__((always_inline)) struct net *namespace_of(struct sk_buff *skb)
{
    struct dst_entry *route = (struct dst_entry *)(READ(skb, _skb_refdst) & ~7UL); // the low bits are flags
    return route ? READ(READ(route, dev), nd_net.net) : NULL;
}

// The first listener in a hash bucket.
static inline __attribute__((always_inline)) struct hlist_nulls_node *bucket_of(struct net *net, u32 hash)
{
    struct inet_hashinfo *table = READ(net, ipv4.tcp_death_row.hashinfo);
    struct inet_listen_hashbucket *bucket = READ(table, lhash2) + (hash & READ(table, lhash2_mask));
    return READ(bucket, nulls_head.first);
}

// 0 for a listener on the port whose accept queue is full. Without branches, which would multiply for the verifier.
static inline __attribute__((always_inline)) u64 unlike(struct sock *sk, struct net *net, u16 port, u16 family)
{
    u64 room = (u64)READ(sk, sk_max_ack_backlog) - READ(sk, sk_ack_backlog); // below 0: full
    return (room >> 63 ^ 1) | (u64)(READ(sk, __sk_common.skc_num) ^ port) |
           (u64)(READ(sk, __sk_common.skc_family) ^ family) |
           ((unsigned long)READ(sk, __sk_common.skc_net.net) ^ (unsigned long)net);
}

#define EACH_LISTENER(net, hash)                                                                                       \
    struct hlist_nulls_node *node = bucket_of(net, hash);                                                              \
    struct sock *sk = (struct sock *)((char *)node - offsetof(struct sock, __sk_common.skc_nulls_node));               \
    for (int i = 0; i < CHAIN && node && !((unsigned long)node & 1); i++, node = READ(node, next),                     \
             sk = (struct sock *)((char *)node - offsetof(struct sock, __sk_common.skc_nulls_node)))

static inline __attribute__((always_inline)) int full_ipv4(struct net *net, u32 address, u16 port)
{
    EACH_LISTENER(net, jhash_words(&address, 1, READ(net, hash_mix)) ^ port)
    if (!(unlike(sk, net, port, AF_INET) | (READ(sk, __sk_common.skc_rcv_saddr) ^ address)))
        return 1;
    return 0;
}

static inline __attribute__((always_inline)) int full_ipv6(struct net *net, const u32 *address, u32 count, u16 port)
{
#ifdef HAS_sock_common__skc_v6_daddr
    EACH_LISTENER(net, jhash_words(address, count, READ(net, hash_mix)) ^ port)
    {
        u32 bound[4] = {};
        bpf_probe_read_kernel(bound, sizeof(bound), &sk->__sk_common.skc_v6_rcv_saddr);
        if (!(unlike(sk, net, port, AF_INET6) | (bound[0] ^ address[0]) | (bound[1] ^ address[1]) |
              (bound[2] ^ address[2]) | (bound[3] ^ address[3])))
            return 1;
    }
#endif
    return 0;
}

// Whether a packet is for a listener with a full accept queue, bound to its destination or to any address. See
// __inet_lookup_listener() and inet6_lookup_listener(), which hash any address as one word.
static inline __attribute__((always_inline)) int is_for_full_listener(struct sk_buff *skb, const struct packet *packet)
{
    struct net *net = namespace_of(skb);
    if (!net)
        return 0;
    u16 port = packet->destination_port;
    u32 any[4] = {}, words[4];
    __builtin_memcpy(words, packet->destination, sizeof(words));
    if (full_ipv6(net, any, 1, port)) // takes IPv4, too
        return 1;
    if (ntohs(READ(skb, protocol)) == ETH_P_IP)
        return full_ipv4(net, words[3], port) || full_ipv4(net, 0, port);
    return full_ipv6(net, words, 4, port);
}
#endif
