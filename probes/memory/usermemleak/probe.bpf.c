#include "ebpftop.h"
#include "ebpftop_user_stacks_maps.h"

struct key {
    u32 tgid;
    int user;
};
struct held {
    u64 bytes;
    u64 count;
};
BPF_HASH(outstanding, struct key, struct held, 32768); // older than `age` and not freed, by process and stack

struct sums {
    u64 allocations;
    u64 frees;
    u64 bytes; // of all allocations
    u64 held;  // of those not freed, of any age
};
BPF_HASH(processes, u32, struct sums, 32768);

struct place {
    u64 address;
    u32 tgid;
    u32 unused;
};
struct allocation {
    u64 bytes;
    u64 since;
    struct key key;
};
BPF_HASH(allocations, struct place, struct allocation, 262144); // bounded: by its size; losses are counted

static struct sums *sums_of(u32 tgid)
{
    struct sums zero = {};
    struct sums *sums = processes.lookup_or_try_init(&tgid, &zero);
    if (!sums)
        map_full();
    return sums;
}

// Returns 0 if there was no room to count it.
static int count(struct allocation *allocation)
{
    struct key key = allocation->key;
    struct held zero = {};
    struct held *held = outstanding.lookup_or_try_init(&key, &zero);
    if (!held) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(&held->bytes, allocation->bytes);
    __sync_fetch_and_add(&held->count, 1);
    return 1;
}

static void uncount(struct allocation *allocation)
{
    struct key key = allocation->key;
    struct held *held = outstanding.lookup(&key);
    if (held) {
        __sync_fetch_and_add(&held->bytes, -allocation->bytes);
        __sync_fetch_and_add(&held->count, -1ULL);
    }
}

// ---------------------------------------------------------------- age

#if PARAM_age
// All allocations in their order, until they are old enough to be counted, or not there any more.
struct birth {
    struct place place;
    u64 since;
};
BPF_QUEUE(births, struct birth, 262144);

// Those that are counted. Whoever removes one from here takes it off the count: its free, or the aging that met it.
struct aged {
    u64 address;
    u64 since;
};
BPF_HASH(counted, struct aged, u8, 262144); // bounded: as many as there are allocations

static void forget(u64 address, struct allocation *allocation)
{
    struct aged aged = {.address = address, .since = allocation->since};
    if (!counted.delete(&aged))
        uncount(allocation);
}

static bool is_there(struct birth *birth)
{
    struct allocation *found = allocations.lookup(&birth->place);
    return found && found->since == birth->since;
}

// Counts those that have become old, at most so many at a time.
static void age(u64 now, int most)
{
    for (int i = 0; i < most; i++) {
        struct birth birth = {};
        if (births.peek(&birth) || now - birth.since < PARAM_age || births.pop(&birth))
            return;
        struct allocation *found = allocations.lookup(&birth.place);
        if (!found || found->since != birth.since)
            continue;
        struct allocation allocation = *found;
        struct aged aged = {.address = birth.place.address, .since = birth.since};
        u8 yes = 1;
        if (counted.update(&aged, &yes)) {
            map_full();
            continue;
        }
        if (!count(&allocation)) {
            counted.delete(&aged);
            continue;
        }
        if (!is_there(&birth)) // freed in the meantime, maybe before it was marked
            forget(birth.place.address, &allocation);
    }
}

static void born(struct place *place, struct allocation *allocation)
{
    struct birth birth = {.place = *place, .since = allocation->since};
    if (births.push(&birth, 0))
        map_full();
    age(allocation->since, 2);
}

// Also when nothing is allocated any more.
int on_clock(struct bpf_perf_event_data *ctx)
{
    age(bpf_ktime_get_ns(), 128);
    return 0;
}
#else
static void forget(u64 address, struct allocation *allocation)
{
    uncount(allocation);
}

static void born(struct place *place, struct allocation *allocation)
{
    if (!count(allocation))
        allocations.delete(place);
}

int on_clock(struct bpf_perf_event_data *ctx)
{
    return 0;
}
#endif

// ---------------------------------------------------------------- allocations

static void add(struct place *place, struct allocation *allocation)
{
    if (allocations.update(place, allocation)) {
        map_full();
        return;
    }
    born(place, allocation);
    struct sums *sums = sums_of(place->tgid);
    if (sums)
        __sync_fetch_and_add(&sums->held, allocation->bytes);
}

// Returns 1 and fills `allocation` if it was known.
static int take(u64 address, struct allocation *allocation)
{
    struct place place = {.address = address, .tgid = bpf_get_current_pid_tgid() >> 32};
    struct allocation *found = allocations.lookup(&place);
    if (!found)
        return 0;
    *allocation = *found;
    if (allocations.delete(&place))
        return 0;
    forget(address, allocation);
    struct sums *sums = sums_of(place.tgid);
    if (sums)
        __sync_fetch_and_add(&sums->held, -allocation->bytes);
    return 1;
}

// ---------------------------------------------------------------- calls

#if defined(__x86_64__)
#define RETURN_ADDRESS 8 // bytes of the stack, which the return takes off
#else
#define RETURN_ADDRESS 0
#endif

// A call under way. An allocator may call itself: only the outermost call counts. The stack pointer tells which it is.
struct call {
    u64 stack;
    u64 bytes;
    u64 result; // where posix_memalign() stores the address
    u64 moved;  // what realloc() was given
    struct allocation before;
};
BPF_HASH(inside, u32, struct call); // by thread; bounded: by the threads inside such a call

static int is_nested(struct pt_regs *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct call *outer = inside.lookup(&thread);
    return outer && PT_REGS_SP(ctx) < outer->stack; // else that call was left without a return
}

static int called(struct pt_regs *ctx, struct call *call)
{
    u32 thread = bpf_get_current_pid_tgid();
    call->stack = PT_REGS_SP(ctx);
    if (inside.update(&thread, call))
        map_full();
    return 0;
}

static int requested(struct pt_regs *ctx, u64 bytes, u64 result)
{
    if (!wanted_current() || is_nested(ctx))
        return 0;
    struct call call = {.bytes = bytes, .result = result};
    return called(ctx, &call);
}

int on_malloc(struct pt_regs *ctx)
{
    return requested(ctx, PT_REGS_PARM1(ctx), 0);
}

int on_calloc(struct pt_regs *ctx)
{
    return requested(ctx, PT_REGS_PARM1(ctx) * PT_REGS_PARM2(ctx), 0);
}

int on_aligned(struct pt_regs *ctx)
{
    return requested(ctx, PT_REGS_PARM2(ctx), 0);
}

int on_posix_memalign(struct pt_regs *ctx)
{
    return requested(ctx, PT_REGS_PARM3(ctx), PT_REGS_PARM1(ctx));
}

static void freed(void)
{
    struct sums *sums = sums_of(bpf_get_current_pid_tgid() >> 32);
    if (sums)
        __sync_fetch_and_add(&sums->frees, 1);
}

// What it was given is taken out before another thread can get the same address.
int on_realloc(struct pt_regs *ctx)
{
    if (!wanted_current() || is_nested(ctx))
        return 0;
    struct call call = {.bytes = PT_REGS_PARM2(ctx), .moved = PT_REGS_PARM1(ctx)};
    if (!take(call.moved, &call.before))
        call.moved = 0;
    return called(ctx, &call);
}

int on_free(struct pt_regs *ctx)
{
    struct allocation allocation = {};
    if (wanted_current() && PT_REGS_PARM1(ctx) && take(PT_REGS_PARM1(ctx), &allocation))
        freed();
    return 0;
}

int on_returned(struct pt_regs *ctx)
{
    u32 thread = bpf_get_current_pid_tgid(), tgid = bpf_get_current_pid_tgid() >> 32;
    struct call *found = inside.lookup(&thread);
    if (!found || PT_REGS_SP(ctx) < found->stack + RETURN_ADDRESS) // a nested one's
        return 0;
    struct call call = *found;
    inside.delete(&thread);
    u64 address = PT_REGS_RC(ctx);
    if (call.result) {
        u64 stored = 0;
        if (!(u32)address) // no error
            bpf_probe_read_user(&stored, sizeof(stored), (void *)call.result);
        address = stored;
    }
    struct place place = {.address = address, .tgid = tgid};
    if (!address) {
        if (call.moved && call.bytes) { // it failed, and what it was given stays
            place.address = call.moved;
            add(&place, &call.before);
        } else if (call.moved) {
            freed();
        }
        return 0;
    }
    struct sums *sums = sums_of(tgid);
    if (sums) {
        __sync_fetch_and_add(&sums->allocations, 1);
        __sync_fetch_and_add(&sums->bytes, call.bytes);
        if (call.moved)
            __sync_fetch_and_add(&sums->frees, 1);
    }
    struct allocation gone = {};
    take(address, &gone); // whose free wasn't seen
    if (call.bytes < PARAM_min)
        return 0;
    struct allocation allocation = {.bytes = call.bytes, .since = bpf_ktime_get_ns(), .key.tgid = tgid};
    allocation.key.user = user_stack_of(ctx);
    add(&place, &allocation);
    return 0;
}
