#include "ebpftop.h"
#include "ebpftop_folio.h"

struct use {
    u64 added; // pages
    u64 dirtied;
};
BPF_HASH(cache, u32, struct use); // by process
BPF_HASH(looked_up, u32, u64);    // times a page was looked up, by process; empty where that can't be seen

// Adds to one of the process's counters, by its offset.
static int count(u64 offset, u64 pages)
{
    if (!wanted_current())
        return 0;
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    struct use zero = {};
    struct use *process = cache.lookup_or_try_init(&tgid, &zero);
    if (!process) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add((u64 *)((char *)process + offset), pages);
    return 0;
}

static int count_access(void)
{
    if (!wanted_current())
        return 0;
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    u64 zero = 0;
    u64 *times = looked_up.lookup_or_try_init(&tgid, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(times, 1);
    return 0;
}

#ifdef VARIANT_fentry
KFUNC_PROBE(folio_mark_accessed)
{
    return count_access();
}
#endif

#ifdef VARIANT_kprobe
int on_access(struct pt_regs *ctx)
{
    return count_access();
}
#endif

#if defined(VARIANT_fentry) || defined(VARIANT_kprobe) || defined(VARIANT_misses)
int on_add(struct bpf_raw_tracepoint_args *ctx)
{
    return count(offsetof(struct use, added), pages_of((struct folio *)ctx->args[0]));
}

int on_dirty(struct bpf_raw_tracepoint_args *ctx)
{
    return count(offsetof(struct use, dirtied), pages_of((struct folio *)ctx->args[0]));
}
#endif
