#include "ebpftop.h"
#include "ebpftop_functions_maps.h"

struct bucket {
    u32 tgid;
    u32 slot;
};
BPF_PERCPU_HASH(latency, struct bucket, u64);

int on_start(struct pt_regs *ctx)
{
    return function_entered(0);
}

int on_done(struct pt_regs *ctx)
{
    u64 took = 0;
    if (!function_returned(0, &took))
        return 0;
    struct bucket bucket = {.tgid = bpf_get_current_pid_tgid() >> 32, .slot = ll_slot(took)};
    u64 zero = 0;
    u64 *count = latency.lookup_or_try_init(&bucket, &zero);
    if (!count) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(count, 1);
    return 0;
}
