#include "ebpftop.h"
#include "ebpftop_thread.h"

struct whose {
    u32 tgid;
    THREAD_FIELDS
};
BPF_HASH(by_process, struct whose, u64, 32768); // or by thread

struct way {
    u32 from;
    u32 to;
};
BPF_HASH(by_cpu, struct way, u64, 65536); // bounded: by pairs of CPUs

static void count_process(struct task_struct *task)
{
    struct whose whose = {.tgid = READ(task, tgid)};
    name_thread(&whose, task);
    u64 zero = 0;
    u64 *moves = by_process.lookup_or_try_init(&whose, &zero);
    if (!moves) {
        map_full();
        return;
    }
    __sync_fetch_and_add(moves, 1);
}

static void count_way(u32 from, u32 to)
{
    struct way way = {.from = from, .to = to};
    u64 zero = 0;
    u64 *moves = by_cpu.lookup_or_try_init(&way, &zero);
    if (!moves) {
        map_full();
        return;
    }
    __sync_fetch_and_add(moves, 1);
}

int on_migrate(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    if (!wanted_task(task))
        return 0;
    count_process(task);
#ifdef HAS_thread_info__cpu
    count_way(READ(task, thread_info.cpu), ctx->args[1]);
#else
    count_way(READ(task, cpu), ctx->args[1]);
#endif
    return 0;
}
