#include "ebpftop.h"
#include "ebpftop_folio.h"

struct use {
    u64 faults;
    u64 pages;
};
BPF_HASH(swapped, u32, struct use); // by process

// Adds to one of the process's counters, by its offset.
static int count(u64 offset, u64 number)
{
    if (!wanted_current())
        return 0;
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    struct use zero = {};
    struct use *process = swapped.lookup_or_try_init(&tgid, &zero);
    if (!process) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add((u64 *)((char *)process + offset), number);
    return 0;
}

// A fault that finds its page in memory, perhaps through readahead, isn't major; nor is one that is retried.
static int faulted(u32 result)
{
    return result & VM_FAULT_MAJOR ? count(offsetof(struct use, faults), 1) : 0;
}

#if defined(VARIANT_fentry) || defined(VARIANT_fentry_page)
KRETFUNC_PROBE(do_swap_page, struct vm_fault *fault, unsigned int result)
{
    return faulted(result);
}
#endif

#ifdef VARIANT_fentry
KFUNC_PROBE(swap_read_folio, struct folio *folio)
{
    return count(offsetof(struct use, pages), pages_of(folio));
}
#endif

#ifdef VARIANT_fentry_page
KFUNC_PROBE(swap_readpage)
{
    return count(offsetof(struct use, pages), 1);
}
#endif

#if defined(VARIANT_kprobe) || defined(VARIANT_kprobe_page)
int on_fault(struct pt_regs *ctx)
{
    return faulted(PT_REGS_RC(ctx));
}
#endif

#ifdef VARIANT_kprobe
int on_read(struct pt_regs *ctx)
{
    return count(offsetof(struct use, pages), pages_of((struct folio *)PT_REGS_PARM1(ctx)));
}
#endif

#ifdef VARIANT_kprobe_page
int on_read(struct pt_regs *ctx)
{
    return count(offsetof(struct use, pages), 1);
}
#endif
