#include "ebpftop_sockets.h"

struct key {
    u32 port;
    u32 limit;
    u32 slot;
};
BPF_HASH(queue, struct key, u64, 65536); // bounded: by listeners × queue lengths

// A new connection's socket starts as a copy of its listener, including the length of the listener's queue.
int on_state(struct bpf_raw_tracepoint_args *ctx)
{
    struct sock *sk = (struct sock *)ctx->args[0];
    int before = ctx->args[1], after = ctx->args[2];
    if (before != TCP_LISTEN || after != TCP_SYN_RECV || !is_tcp(sk))
        return 0;
    u16 port = local_port(sk);
    if (!wanted_port(port, 0))
        return 0;
    struct key key = {
        .port = port,
        .limit = READ(sk, sk_max_ack_backlog),
        .slot = ll_slot(READ(sk, sk_ack_backlog)),
    };
    u64 zero = 0;
    u64 *times = queue.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(times, 1);
    return 0;
}
