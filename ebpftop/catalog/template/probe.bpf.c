#include "ebpftop.h"

BPF_HASH(counts, u32, u64); // process → number of system calls

static int count(u32 tgid)
{
    if (!wanted_current()) // filtered out by the parameters
        return 0;
    u64 zero = 0;
    u64 *calls = counts.lookup_or_try_init(&tgid, &zero);
    if (!calls) {
        map_full(); // counted, and shown beside the numbers
        return 0;
    }
    __sync_fetch_and_add(calls, 1);
    return 0;
}

#ifdef VARIANT_raw
int on_enter(struct bpf_raw_tracepoint_args *ctx)
{
    return count(bpf_get_current_pid_tgid() >> 32);
}
#endif

#ifdef VARIANT_classic
int on_enter(void *ctx)
{
    return count(bpf_get_current_pid_tgid() >> 32);
}
#endif
