#include "ebpftop.h"

struct children {
    u64 processes;
    u64 threads;
};
BPF_HASH(created, u32, struct children, 32768); // process → what it created; dead processes stay for an interval or two

int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
    if (!wanted_current())
        return 0;
    struct task_struct *child = (struct task_struct *)ctx->args[1];
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    struct children zero = {};
    struct children *children = created.lookup_or_try_init(&tgid, &zero);
    if (!children) {
        map_full();
        return 0;
    }
    if (READ(child, pid) == READ(child, tgid))
        __sync_fetch_and_add(&children->processes, 1);
    else
        __sync_fetch_and_add(&children->threads, 1);
    return 0;
}
