#include "ebpftop.h"

BPF_HASH(waits, u32, u64); // process → how often it was delayed

int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
    u64 end = bpf_ktime_get_ns() + 1000000; // in a millisecond
    while (bpf_ktime_get_ns() < end)
        ;
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    u64 zero = 0;
    u64 *count = waits.lookup_or_try_init(&tgid, &zero);
    if (!count) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(count, 1);
    return 0;
}
