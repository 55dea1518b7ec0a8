#include "ebpftop.h"
#include "ebpftop_calls_maps.h"

struct key {
    u32 tgid;
    u32 call;
    u32 slot;
};
BPF_HASH(latency, struct key, u64, 65536); // waits of that length, by process and call

struct process {
    u32 tgid;
};
struct calls {
    u64 calls;
    u64 failed;
    u64 time; // ns, of all of them
};
BPF_HASH(calls, struct process, struct calls);

int on_enter(struct tracepoint__syscalls__sys_enter_fsync *args)
{
    struct call call = {};
    return call_entered(&call);
}

static void count(u32 tgid, u64 took, bool failed)
{
    struct process process = {.tgid = tgid};
    struct calls zero = {};
    struct calls *total = calls.lookup_or_try_init(&process, &zero);
    if (!total) {
        map_full();
        return;
    }
    __sync_fetch_and_add(&total->calls, 1);
    __sync_fetch_and_add(&total->failed, failed);
    __sync_fetch_and_add(&total->time, took);
}

int on_exit(struct tracepoint__syscalls__sys_exit_fsync *args)
{
    u64 id = bpf_get_current_pid_tgid();
    struct call call = {};
    if (!call_returned(&call))
        return 0;
    u64 took = bpf_ktime_get_ns() - call.since;
    count(id >> 32, took, args->ret < 0);

    struct key key = {.tgid = id >> 32, .call = args->__syscall_nr, .slot = ll_slot(took)};
    u64 zero = 0;
    u64 *times = latency.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(times, 1);
    return 0;
}
