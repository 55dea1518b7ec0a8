#include "ebpftop.h"
#include "ebpftop_syscall.h"
#include "ebpftop_thread.h"

struct asked {
    u64 since;
    u32 number;
};
BPF_HASH(began, u32, struct asked, 32768); // bounded: by the threads in a system call

struct bucket {
    u32 tgid;
    THREAD_FIELDS
    u32 syscall;
    u32 slot;
};
BPF_PERCPU_HASH(latency, struct bucket, u64, 65536);

int on_enter(struct bpf_raw_tracepoint_args *ctx)
{
    u32 number = ctx->args[1] + (in_compat_call() ? COMPAT_NUMBERS : 0);
#ifdef PARAM_syscall
    if (number != PARAM_syscall)
        return 0;
#endif
    if (!wanted_current())
        return 0;
    u32 thread = bpf_get_current_pid_tgid();
    struct asked asked = {.since = bpf_ktime_get_ns(), .number = number};
    if (began.update(&thread, &asked))
        map_full();
    return 0;
}

int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
    u64 id = bpf_get_current_pid_tgid();
    u32 thread = id;
    struct asked *asked = began.lookup(&thread);
    if (!asked)
        return 0;
    u64 took = bpf_ktime_get_ns() - asked->since;
    struct bucket bucket = {.tgid = id >> 32, .syscall = asked->number, .slot = ll_slot(took)};
    began.delete(&thread);
    name_thread(&bucket, current_thread());
#ifdef PARAM_min
    if (took < PARAM_min)
        return 0;
#endif
    u64 zero = 0;
    u64 *count = latency.lookup_or_try_init(&bucket, &zero);
    if (!count) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(count, 1);
    return 0;
}
