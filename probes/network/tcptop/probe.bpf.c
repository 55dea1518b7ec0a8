#include "ebpftop_sockets.h"

#define PEEK 2 // MSG_PEEK of recv(2)

struct key {
    u32 tgid;
    u16 local_port;
    u16 remote_port;
    u8 local[ADDRESS_SIZE];
    u8 remote[ADDRESS_SIZE];
};
struct traffic {
    u64 sent;
    u64 received;
};
BPF_TABLE("lru_hash", struct key, struct traffic, traffic, 32768);

static struct traffic *traffic_of(struct sock *sk)
{
    struct key key = {.tgid = bpf_get_current_pid_tgid() >> 32};
    key.local_port = local_port(sk);
    key.remote_port = remote_port(sk);
    local_address(sk, key.local);
    remote_address(sk, key.remote);
    struct traffic zero = {};
    struct traffic *traffic_of_key = traffic.lookup_or_try_init(&key, &zero);
    if (!traffic_of_key)
        map_full();
    return traffic_of_key;
}

static int wanted(struct sock *sk, int bytes)
{
    return bytes > 0 && is_tcp(sk) && wanted_current() && wanted_socket(sk);
}

static void count_sent(struct sock *sk, int bytes)
{
    if (!wanted(sk, bytes))
        return;
    struct traffic *traffic = traffic_of(sk);
    if (traffic)
        __sync_fetch_and_add(&traffic->sent, bytes);
}

static void count_received(struct sock *sk, int bytes, int flags)
{
    if (flags & PEEK || !wanted(sk, bytes)) // a peek leaves the bytes to be received again
        return;
    struct traffic *traffic = traffic_of(sk);
    if (traffic)
        __sync_fetch_and_add(&traffic->received, bytes);
}

#ifdef VARIANT_raw
int on_send(struct bpf_raw_tracepoint_args *ctx)
{
    count_sent((struct sock *)ctx->args[0], ctx->args[1]);
    return 0;
}

int on_receive(struct bpf_raw_tracepoint_args *ctx)
{
    count_received((struct sock *)ctx->args[0], ctx->args[1], ctx->args[2]);
    return 0;
}
#endif

#ifdef VARIANT_fexit
KRETFUNC_PROBE(tcp_sendmsg, struct sock *sk, struct msghdr *message, size_t size, int sent)
{
    count_sent(sk, sent);
    return 0;
}

KRETFUNC_PROBE(tcp_recvmsg, struct sock *sk, struct msghdr *message, size_t size, int flags, int *address_size,
               int received)
{
    count_received(sk, received, flags);
    return 0;
}
#endif
