#include "ebpftop.h"
#include "ebpftop_syscall.h"

struct calls {
    u64 calls;
    u64 errors;
};
// Per CPU, so counting needs no atomics: a CPU returns from one system call at a time.
BPF_PERCPU_HASH(by_process, u32, struct calls, 32768); // dead processes stay for an interval or two
BPF_PERCPU_ARRAY(by_syscall, struct calls, 2 * COMPAT_NUMBERS);

#define HIGHEST_ERROR 511 // those above, such as ERESTARTSYS (512), are internal to the kernel

static void count_process(bool failed)
{
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    struct calls zero = {};
    struct calls *process = by_process.lookup_or_try_init(&tgid, &zero);
    if (!process) {
        map_full();
        return;
    }
    process->calls++;
    process->errors += failed;
}

static void count_syscall(bool failed)
{
    u32 number = current_syscall();
    struct calls *syscall = by_syscall.lookup(&number);
    if (!syscall)
        return;
    syscall->calls++;
    syscall->errors += failed;
}

int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
    if (!wanted_current())
        return 0;
    long result = ctx->args[1];
    bool failed = result < 0 && result >= -HIGHEST_ERROR;
#ifndef PARAM_by_syscall
    count_process(failed);
#endif
#ifndef PARAM_by_process
    count_syscall(failed);
#endif
    return 0;
}
