#include "ebpftop.h"
#include "ebpftop_folio.h"

struct use {
    u64 accessed;
    u64 added; // pages
    u64 dirtied;
};
BPF_HASH(cache, u32, struct use); // by process

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

#ifdef VARIANT_fentry
KFUNC_PROBE(folio_mark_accessed)
{
    return count(offsetof(struct use, accessed), 1);
}
#endif

#ifdef VARIANT_kprobe
int on_access(struct pt_regs *ctx)
{
    return count(offsetof(struct use, accessed), 1);
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
