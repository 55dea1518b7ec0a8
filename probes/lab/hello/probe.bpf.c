#include "ebpftop.h"

BPF_HASH(switches, u32, u64); // process → how often it left a CPU

int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    u32 tgid = bpf_get_current_pid_tgid() >> 32; // still the process that leaves
    u64 zero = 0;
    u64 *count = switches.lookup_or_try_init(&tgid, &zero);
    if (!count) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(count, 1);
    return 0;
}
