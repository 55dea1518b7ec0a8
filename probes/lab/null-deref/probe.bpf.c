#include "ebpftop.h"

BPF_HASH(calls, u32, u64); // process → system calls

int on_enter(struct bpf_raw_tracepoint_args *ctx)
{
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    u64 *count = calls.lookup(&tgid); // NULL for a process that was never counted
    *count += 1;
    return 0;
}
