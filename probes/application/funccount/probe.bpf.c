#include "ebpftop.h"

// The attachment's cookie identifies the function: all of them run this one program.
struct caller {
    u32 tgid;
    u32 point;
};
BPF_PERCPU_HASH(calls, struct caller, u64, 32768);

int on_call(void *ctx)
{
    if (!wanted_current())
        return 0;
    struct caller caller = {.tgid = bpf_get_current_pid_tgid() >> 32, .point = bpf_get_attach_cookie(ctx)};
    u64 zero = 0;
    u64 *count = calls.lookup_or_try_init(&caller, &zero);
    if (!count) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(count, 1);
    return 0;
}
