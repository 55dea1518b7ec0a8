#include "ebpftop.h"
#include "ebpftop_calls_maps.h"
#include "ebpftop_user_stacks_maps.h"

struct key {
    u32 tgid;
    int user;
};
BPF_HASH(touched, struct key, u64, 32768);   // bytes of pages used for the first time, by process and stack
BPF_HASH(requested, struct key, u64, 32768); // bytes that brk and mmap gave and munmap didn't take back

struct sums {
    u64 touched;
    u64 heap;
    u64 mapped;
    u64 unmapped;
};
BPF_HASH(processes, u32, struct sums, 32768);

static struct sums *sums_of(u32 tgid)
{
    struct sums zero = {};
    struct sums *sums = processes.lookup_or_try_init(&tgid, &zero);
    if (!sums)
        map_full();
    return sums;
}

// ---------------------------------------------------------------- pages

// Bits of gfp_t, alike since Linux 5.15 (linux/gfp_types.h). A new page of private anonymous memory is movable, and either
// zeroed by the allocator or a huge one, which alone is allocated without the reserves of memory.
#define MOVABLE (1 << 3)
#define ZERO (1 << 8)
#define NO_RESERVES (1 << 19)

#define PAGE_BYTES (1ULL << PAGE_SHIFT)

int on_page(struct bpf_raw_tracepoint_args *ctx)
{
    u32 order = ctx->args[1], gfp = ctx->args[2];
    if (!(gfp & MOVABLE) || !(gfp & (ZERO | NO_RESERVES)) || !ctx->args[0] || !wanted_current())
        return 0;
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    if (!READ(task, mm)) // the kernel itself: it joins pages to huge ones
        return 0;
    struct key key = {.tgid = bpf_get_current_pid_tgid() >> 32, .user = user_stack(ctx)};
    u64 zero = 0, bytes = PAGE_BYTES << (order & 31);
    u64 *total = touched.lookup_or_try_init(&key, &zero);
    if (!total) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(total, bytes);
    struct sums *sums = sums_of(key.tgid);
    if (sums)
        __sync_fetch_and_add(&sums->touched, bytes);
    return 0;
}

// ---------------------------------------------------------------- mappings

struct place {
    u64 address;
    u32 tgid;
    u32 unused;
};
struct mapping {
    u64 bytes;
    struct key key;
};
BPF_TABLE("lru_hash", struct place, struct mapping, mappings, 65536);

// More memory was requested with this stack. Returns the process's sums, or 0 if there is no room.
static struct sums *request(struct key *from, u64 bytes)
{
    struct key key = *from;
    u64 zero = 0, *total = requested.lookup_or_try_init(&key, &zero);
    if (!total) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(total, bytes);
    return sums_of(key.tgid);
}

static u64 whole_pages(u64 bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

static void mapped(void *ctx, u64 address, u64 bytes)
{
    struct mapping mapping = {.bytes = bytes};
    mapping.key.tgid = bpf_get_current_pid_tgid() >> 32;
    mapping.key.user = user_stack(ctx);
    struct place place = {.address = address, .tgid = mapping.key.tgid};
    if (mappings.update(&place, &mapping)) {
        map_full();
        return;
    }
    struct sums *sums = request(&mapping.key, bytes);
    if (sums)
        __sync_fetch_and_add(&sums->mapped, bytes);
}

// Of a part only the beginning is known: what remains is still its stack's.
static void unmapped(u64 address, u64 bytes)
{
    struct place place = {.address = address, .tgid = bpf_get_current_pid_tgid() >> 32};
    struct mapping *found = mappings.lookup(&place);
    if (!found)
        return;
    struct mapping mapping = *found;
    mappings.delete(&place);
    if (bytes < mapping.bytes) {
        struct mapping rest = mapping;
        rest.bytes -= bytes;
        place.address += bytes;
        if (mappings.update(&place, &rest))
            map_full();
    } else {
        bytes = mapping.bytes;
    }
    struct key key = mapping.key;
    u64 *held = requested.lookup(&key);
    if (held)
        __sync_fetch_and_add(held, -bytes);
    struct sums *sums = sums_of(key.tgid);
    if (sums)
        __sync_fetch_and_add(&sums->unmapped, bytes);
}

#define ANONYMOUS 0x20 // of mmap(2)

enum { ADDRESS, OLD_BYTES, BYTES };

// Without any access it is a reservation, as allocators make for what they will need.
int on_mmap(struct tracepoint__syscalls__sys_enter_mmap *args)
{
    if (!(args->flags & ANONYMOUS) || !args->prot)
        return 0;
    struct call call = {.args = {[BYTES] = whole_pages(args->len)}};
    return call_entered(&call);
}

int on_mmapped(struct tracepoint__syscalls__sys_exit_mmap *args)
{
    struct call call = {};
    if (call_returned(&call) && (u64)args->ret < -4096ULL)
        mapped(args, args->ret, call.args[BYTES]);
    return 0;
}

int on_munmap(struct tracepoint__syscalls__sys_enter_munmap *args)
{
    struct call call = {.args = {[ADDRESS] = args->addr, [BYTES] = whole_pages(args->len)}};
    return call_entered(&call);
}

int on_munmapped(struct tracepoint__syscalls__sys_exit_munmap *args)
{
    struct call call = {};
    if (call_returned(&call) && !args->ret)
        unmapped(call.args[ADDRESS], call.args[BYTES]);
    return 0;
}

int on_mremap(struct tracepoint__syscalls__sys_enter_mremap *args)
{
    struct call call = {
        .args = {
            [ADDRESS] = args->addr, [OLD_BYTES] = whole_pages(args->old_len), [BYTES] = whole_pages(args->new_len)}};
    return call_entered(&call);
}

int on_mremapped(struct tracepoint__syscalls__sys_exit_mremap *args)
{
    struct call call = {};
    if (!call_returned(&call) || (u64)args->ret >= -4096ULL)
        return 0;
    struct place place = {.address = call.args[ADDRESS], .tgid = bpf_get_current_pid_tgid() >> 32};
    if (!mappings.lookup(&place)) // a file, or of before the probe was attached
        return 0;
    unmapped(call.args[ADDRESS], call.args[OLD_BYTES]);
    mapped(args, args->ret, call.args[BYTES]);
    return 0;
}

// ---------------------------------------------------------------- the heap

// The heap's highest end since attaching: below it memory is used again, which is no growth.
struct heap {
    u64 mm; // another one after an exec
    u64 top;
};
BPF_TABLE("lru_hash", u32, struct heap, heaps, 32768);

int on_brk(struct tracepoint__syscalls__sys_enter_brk *args)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct call call = {.args = {[OLD_BYTES] = READ(READ(task, mm), brk)}};
    return call_entered(&call);
}

int on_brk_set(struct tracepoint__syscalls__sys_exit_brk *args)
{
    struct call call = {};
    if (!call_returned(&call))
        return 0;
    u64 before = call.args[OLD_BYTES], after = args->ret;
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct heap heap = {.mm = (u64)READ(task, mm), .top = before};
    struct key key = {.tgid = bpf_get_current_pid_tgid() >> 32};
    struct heap *known = heaps.lookup(&key.tgid);
    if (known && known->mm == heap.mm)
        heap.top = known->top;
    if (after <= heap.top)
        return 0;
    u64 grown = after - heap.top;
    heap.top = after;
    if (heaps.update(&key.tgid, &heap))
        map_full();
    key.user = user_stack(args);
    struct sums *sums = request(&key, grown);
    if (sums)
        __sync_fetch_and_add(&sums->heap, grown);
    return 0;
}
