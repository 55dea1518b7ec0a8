#include "ebpftop.h"

BPF_HASH(bytes, u32, u64); // process → bytes of a packet

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    u64 header = 0;
    bpf_skb_load_bytes(ctx, 0, &header, sizeof(header));
    if (bytes.update(&tgid, &header))
        map_full();
    return 0;
}
