#include "ebpftop_sockets.h"

#define PEEK 2      // MSG_PEEK of recv(2)
#define SIDE_SIZE 8 // "client" or "server"

struct bucket {
    u32 tgid;
    char side[SIDE_SIZE];
    u32 slot;
};
BPF_HASH(latency, struct bucket, u64, 65536); // by process

struct key {
    u32 tgid;
    u16 local_port;
    u16 remote_port;
    char side[SIDE_SIZE];
    u8 local[ADDRESS_SIZE];
    u8 remote[ADDRESS_SIZE];
};
struct sum {
    u64 answers;
    u64 took;
    u64 longest;
};
BPF_TABLE("lru_hash", struct key, struct sum, connections, 32768);

BPF_TABLE("lru_hash", u64, u64, requested, 65536); // connection → when the last part of a request passed

// Who accepted a connection is its server. Such a socket is a copy of the listening one, with the limit of its queue.
static int is_server(struct sock *sk)
{
    return READ(sk, sk_max_ack_backlog) != 0;
}

static void name_side(char *side, int server)
{
    const char names[2][SIDE_SIZE] = {"client", "server"};
    __builtin_memcpy(side, server ? names[1] : names[0], SIDE_SIZE);
}

static void add_answer(struct sock *sk, u64 took, int server)
{
    struct bucket bucket = {.tgid = bpf_get_current_pid_tgid() >> 32, .slot = ll_slot(took)};
    name_side(bucket.side, server);
    u64 zero = 0;
    u64 *times = latency.lookup_or_try_init(&bucket, &zero);
    if (times)
        __sync_fetch_and_add(times, 1);
    else
        map_full();

    struct key key = {.tgid = bucket.tgid};
    name_side(key.side, server);
    key.local_port = local_port(sk);
    key.remote_port = remote_port(sk);
    local_address(sk, key.local);
    remote_address(sk, key.remote);
    struct sum none = {};
    struct sum *sum = connections.lookup_or_try_init(&key, &none);
    if (!sum) {
        map_full();
        return;
    }
    __sync_fetch_and_add(&sum->answers, 1);
    __sync_fetch_and_add(&sum->took, took);
    if (took > sum->longest)
        sum->longest = took;
}

// Bytes passed between the process and the connection. A client sends requests, a server receives them.
static void passed(struct sock *sk, int bytes, int sent)
{
    if (bytes <= 0 || !is_tcp(sk) || !wanted_current() || !wanted_socket(sk))
        return;
    u64 now = bpf_ktime_get_ns(), connection = (u64)sk;
    int server = is_server(sk);
    if (sent != server) {
        if (requested.update(&connection, &now))
            map_full();
        return;
    }
    u64 *since = requested.lookup(&connection);
    if (!since) // a further part of the answer, or nobody made a request
        return;
    u64 took = now - *since;
    requested.delete(&connection);
    add_answer(sk, took, server);
}

// Its socket may become another connection's.
int on_state(struct bpf_raw_tracepoint_args *ctx)
{
    u64 connection = ctx->args[0];
    if ((int)ctx->args[2] == TCP_CLOSE)
        requested.delete(&connection);
    return 0;
}

#ifdef VARIANT_raw
int on_send(struct bpf_raw_tracepoint_args *ctx)
{
    passed((struct sock *)ctx->args[0], ctx->args[1], 1);
    return 0;
}

int on_receive(struct bpf_raw_tracepoint_args *ctx)
{
    if (!(ctx->args[2] & PEEK))
        passed((struct sock *)ctx->args[0], ctx->args[1], 0);
    return 0;
}
#endif

#ifdef VARIANT_fexit
KRETFUNC_PROBE(tcp_sendmsg, struct sock *sk, struct msghdr *message, size_t size, int sent)
{
    passed(sk, sent, 1);
    return 0;
}

KRETFUNC_PROBE(tcp_recvmsg, struct sock *sk, struct msghdr *message, size_t size, int flags, int *address_size,
               int received)
{
    if (!(flags & PEEK))
        passed(sk, received, 0);
    return 0;
}
#endif
