#include "ebpftop.h"
#include "ebpftop_functions_maps.h"

// The attachment's cookie identifies the function: all of them run these two programs.
struct bucket {
    u32 tgid;
    u32 point;
    u32 slot;
};
BPF_PERCPU_HASH(latency, struct bucket, u64, 32768);

int on_entry(void *ctx)
{
    return function_entered(bpf_get_attach_cookie(ctx));
}

int on_return(void *ctx)
{
    u32 point = bpf_get_attach_cookie(ctx);
    u64 took = 0;
    if (!function_returned(point, &took))
        return 0;
    struct bucket bucket = {.tgid = bpf_get_current_pid_tgid() >> 32, .point = point, .slot = ll_slot(took)};
    u64 zero = 0;
    u64 *count = latency.lookup_or_try_init(&bucket, &zero);
    if (!count) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(count, 1);
    return 0;
}
