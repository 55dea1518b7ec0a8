#include "ebpftop.h"
#include "ebpftop_copies_maps.h"
#include "ebpftop_thread.h"

struct key {
    u32 tgid;
    THREAD_FIELDS
    int user;
    int kernel;
};
BPF_HASH(samples, struct key, u64, 40960); // samples of a process or thread with these call stacks

#ifndef PARAM_by_thread
struct moment {
    u64 time;
    u32 cpu;
    u32 tgid;
    int user;
    int kernel;
};
BPF_RINGBUF_OUTPUT(moments, 1024); // one a sample; the counts in `samples` hold also those that are lost here
#endif

int on_sample(struct bpf_perf_event_data *ctx)
{
    u64 id = bpf_get_current_pid_tgid();
    if (!id || !wanted_current()) // 0: the CPU is idle
        return 0;
    struct key key = {.tgid = id >> 32, .user = NO_STACK, .kernel = NO_STACK};
#ifdef PARAM_by_thread
    name_thread(&key, current_thread());
#endif
#ifndef PARAM_stacks_user
    key.kernel = stack_number(&ctx->regs, 0);
#endif
#ifdef COPIES
    key.user = copied(ctx, key.kernel, 1);
    if (key.user == COPIED)
        return 0; // the collector counts it
#elif !defined(PARAM_stacks_kernel)
    key.user = stack_number(&ctx->regs, BPF_F_USER_STACK);
#endif
#ifndef PARAM_by_thread
    struct moment *moment = moments.ringbuf_reserve(sizeof(struct moment));
    if (moment) {
        moment->time = bpf_ktime_get_ns();
        moment->cpu = bpf_get_smp_processor_id();
        moment->tgid = key.tgid;
        moment->user = key.user;
        moment->kernel = key.kernel;
        moments.ringbuf_submit(moment, wake_up(sizeof(*moment)));
    } else {
        ring_full();
    }
#endif
    u64 zero = 0;
    u64 *count = samples.lookup_or_try_init(&key, &zero);
    if (!count) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(count, 1);
    return 0;
}
