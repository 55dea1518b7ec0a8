// For network probes: both ends of a socket or packet, and a socket's owner. Like ebpftop.h, this touches no map.
#pragma once
#include "ebpftop.h"

#define ADDRESS_SIZE 16 // an IPv6 address, or an IPv4 one as ::ffff:a.b.c.d
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define IPPROTO_ICMPV6 58

// ---------------------------------------------------------------- sockets

static inline __attribute__((always_inline)) int is_tcp(struct sock *sk)
{
    u16 family = READ(sk, __sk_common.skc_family);
    return READ(sk, sk_protocol) == IPPROTO_TCP && (family == AF_INET || family == AF_INET6);
}

// A connection request or a socket in TIME_WAIT isn't a full socket; a closed one has released its number.
static inline __attribute__((always_inline)) u16 local_port(struct sock *sk)
{
    u8 state = READ(sk, __sk_common.skc_state);
    if (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)
        return READ(sk, __sk_common.skc_num);
    struct inet_sock *inet = (struct inet_sock *)sk;
    return ntohs(READ(inet, inet_sport));
}

static inline __attribute__((always_inline)) u16 remote_port(struct sock *sk)
{
    return ntohs(READ(sk, __sk_common.skc_dport));
}

static inline __attribute__((always_inline)) void write_ipv4(u8 *address, const void *from)
{
    __builtin_memset(address, 0, 10);
    address[10] = address[11] = 0xff;
    bpf_probe_read_kernel(address + 12, 4, from);
}

static inline __attribute__((always_inline)) void local_address(struct sock *sk, u8 *address)
{
#ifdef HAS_sock_common__skc_v6_daddr
    if (READ(sk, __sk_common.skc_family) == AF_INET6) {
        bpf_probe_read_kernel(address, ADDRESS_SIZE, &sk->__sk_common.skc_v6_rcv_saddr);
        return;
    }
#endif
    write_ipv4(address, &sk->__sk_common.skc_rcv_saddr);
}

static inline __attribute__((always_inline)) void remote_address(struct sock *sk, u8 *address)
{
#ifdef HAS_sock_common__skc_v6_daddr
    if (READ(sk, __sk_common.skc_family) == AF_INET6) {
        bpf_probe_read_kernel(address, ADDRESS_SIZE, &sk->__sk_common.skc_v6_daddr);
        return;
    }
#endif
    write_ipv4(address, &sk->__sk_common.skc_daddr);
}

// Whether the parameters port and address match either side.
static inline __attribute__((always_inline)) int wanted_port(u16 local, u16 remote)
{
#ifdef PARAM_port
    return local == PARAM_port || remote == PARAM_port;
#else
    return 1;
#endif
}

static inline __attribute__((always_inline)) int wanted_address(const u8 *local, const u8 *remote)
{
#ifdef PARAM_address
    const u8 wanted[ADDRESS_SIZE] = PARAM_address;
    u8 local_differs = 0, remote_differs = 0;
#pragma unroll
    for (int i = 0; i < ADDRESS_SIZE; i++) {
        local_differs |= local[i] ^ wanted[i];
        remote_differs |= remote[i] ^ wanted[i];
    }
    return !local_differs || !remote_differs;
#else
    return 1;
#endif
}

static inline __attribute__((always_inline)) int wanted_socket(struct sock *sk)
{
#ifdef PARAM_address
    u8 local[ADDRESS_SIZE], remote[ADDRESS_SIZE];
    local_address(sk, local);
    remote_address(sk, remote);
    if (!wanted_address(local, remote))
        return 0;
#endif
    return wanted_port(local_port(sk), remote_port(sk));
}

// Whether a TCP state is entered from a system call, so that the current process is the socket's: SYN_SENT by connect(),
// LISTEN by listen(), FIN_WAIT1 and LAST_ACK by close() and shutdown(). Every other state may be entered from a softirq,
// with any process current.
static inline __attribute__((always_inline)) int entered_by_process(int state)
{
    return state == TCP_SYN_SENT || state == TCP_LISTEN || state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK;
}

// The socket of an open file known to be one.
static inline __attribute__((always_inline)) struct sock *socket_of(struct file *file)
{
    struct socket *socket = READ(file, private_data);
    return READ(socket, sk);
}

// ---------------------------------------------------------------- packets

// Both ends of an IP packet, from its headers; ports only if `protocol` has them.
struct packet {
    u8 source[ADDRESS_SIZE];
    u8 destination[ADDRESS_SIZE];
    u16 source_port;
    u16 destination_port;
    u8 protocol;      // IPPROTO_…; for IPv6 that of the first header
    const u8 *inside; // what follows the IP header
};

// The IP header of a packet that the network layer has seen. In a packet that just arrived it is at `data`.
static inline __attribute__((always_inline)) const u8 *ip_header(struct sk_buff *skb)
{
    return READ(skb, head) + READ(skb, network_header);
}

// Fills `packet` and returns 1; returns 0 for anything but an IP packet, and for later fragments.
static inline __attribute__((always_inline)) int read_packet(struct sk_buff *skb, const u8 *header,
                                                             struct packet *packet)
{
    u16 kind = ntohs(READ(skb, protocol));
    u8 start[8] = {};
    bpf_probe_read_kernel(start, sizeof(start), header);
    if (kind == ETH_P_IP && start[0] >> 4 == 4) {
        u16 fragment = (start[6] & 0x1f) << 8 | start[7];
        if (fragment)
            return 0;
        bpf_probe_read_kernel(&packet->protocol, 1, header + 9);
        write_ipv4(packet->source, header + 12);
        write_ipv4(packet->destination, header + 16);
        packet->inside = header + (start[0] & 15) * 4;
    } else if (kind == ETH_P_IPV6 && start[0] >> 4 == 6) {
        packet->protocol = start[6];
        bpf_probe_read_kernel(packet->source, ADDRESS_SIZE, header + 8);
        bpf_probe_read_kernel(packet->destination, ADDRESS_SIZE, header + 24);
        packet->inside = header + 40;
    } else {
        return 0;
    }
    u16 ports[2] = {};
    bpf_probe_read_kernel(ports, sizeof(ports), packet->inside);
    packet->source_port = ntohs(ports[0]);
    packet->destination_port = ntohs(ports[1]);
    return 1;
}

static inline __attribute__((always_inline)) int wanted_packet(const struct packet *packet)
{
    return wanted_address(packet->source, packet->destination) &&
           wanted_port(packet->source_port, packet->destination_port);
}
