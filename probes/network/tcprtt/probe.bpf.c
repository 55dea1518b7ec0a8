#include "ebpftop_sockets.h"

struct key {
    u8 remote[ADDRESS_SIZE];
    u32 slot;
};
BPF_TABLE("lru_hash", struct key, u64, rtt, 32768);

int on_segment(struct bpf_raw_tracepoint_args *ctx)
{
    struct sock *sk = (struct sock *)ctx->args[0];
    struct tcp_sock *tcp = (struct tcp_sock *)sk;
    if (!wanted_socket(sk))
        return 0;
    u64 eighths = READ(tcp, srtt_us); // of a microsecond; 0 before the first measurement
    if (!eighths)
        return 0;
    struct key key = {.slot = ll_slot(eighths * 125)};
    remote_address(sk, key.remote);
    u64 zero = 0;
    u64 *times = rtt.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(times, 1);
    return 0;
}
