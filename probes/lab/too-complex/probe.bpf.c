#include "ebpftop.h"

BPF_HASH(heads, u32, u64); // process → when a coin last came up heads as it left its CPU

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    u64 last = 0;
    for (int toss = 0; toss < 10000; toss++)
        if (bpf_get_prandom_u32() & 1)
            last = bpf_ktime_get_ns();
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    if (heads.update(&tgid, &last))
        map_full();
    return 0;
}
