#include "ebpftop.h"
#include "ebpftop_block.h"

struct key {
    u64 group; // of the request, and its hierarchy: see cgroup_of()
    u32 tgid;
    u32 device;
};
struct use {
    u64 requests;
    u64 bytes;
    u64 throttled; // of the requests
    u64 waited;    // ns
    u64 longest;
    u64 waiting; // requests that are held back now
};
BPF_HASH(processes, struct key, struct use, 32768);

#define HIERARCHY_SHIFT 56 // of a control group's id: the number of the hierarchy it is in

// The control group that pays for it. Limits of version 1 are in a hierarchy of their own.
static u64 cgroup_of(struct bio *bio)
{
    struct cgroup *cgroup = READ(READ(READ(bio, bi_blkg), blkcg), css.cgroup);
    u64 hierarchy = READ(READ(cgroup, root), hierarchy_id);
    return READ(READ(cgroup, kn), id) | hierarchy << HIERARCHY_SHIFT;
}

// The whole disk, which limits are for.
static u32 disk_of(struct bio *bio)
{
    struct gendisk *disk = READ(READ(bio, bi_bdev), bd_disk);
    return READ(disk, major) << MINORBITS | READ(disk, first_minor);
}

static bool wanted_bio(struct bio *bio)
{
#ifdef PARAM_device
    return disk_of(bio) == PARAM_device || READ(READ(bio, bi_bdev), bd_dev) == PARAM_device;
#else
    return true;
#endif
}

static struct use *use_of(struct bio *bio, u32 tgid)
{
    struct key key = {.group = cgroup_of(bio), .tgid = tgid, .device = disk_of(bio)};
    struct use zero = {};
    struct use *use = processes.lookup_or_try_init(&key, &zero);
    if (!use)
        map_full();
    return use;
}

static void count(struct use *use, struct bio *bio)
{
    __sync_fetch_and_add(&use->requests, 1);
    __sync_fetch_and_add(&use->bytes, READ(bio, bi_iter.bi_size));
}

// ---------------------------------------------------------------- held back, by whom and how long

#if defined(VARIANT_fentry) || defined(VARIANT_kprobe)
struct wait {
    u64 since;
    u32 tgid;
    u32 unused;
};
BPF_HASH(waits, u64, struct wait, 65536); // by request; bounded: by the requests held back

static int held_back(struct bio *bio)
{
    u64 address = (u64)bio;
    struct wait wait = {.since = bpf_ktime_get_ns(), .tgid = bpf_get_current_pid_tgid() >> 32};
    struct use *use = wanted_bio(bio) ? use_of(bio, wait.tgid) : 0;
    if (!use)
        return 0;
    if (waits.update(&address, &wait)) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(&use->waiting, 1);
    return 0;
}

// Also those that weren't held back come here.
static int let_through(struct bio *bio)
{
    u64 address = (u64)bio;
    struct wait *found = waits.lookup(&address);
    if (!found)
        return 0;
    struct wait wait = *found;
    waits.delete(&address);
    struct use *use = use_of(bio, wait.tgid);
    if (!use)
        return 0;
    __sync_fetch_and_add(&use->waiting, -1ULL);
    u64 waited = bpf_ktime_get_ns() - wait.since;
    if (!(READ(bio, bi_flags) & 1 << BIO_TRACE_COMPLETION)) // else the rest of one that was divided
        count(use, bio);
    __sync_fetch_and_add(&use->throttled, 1);
    __sync_fetch_and_add(&use->waited, waited);
    if (waited > use->longest)
        use->longest = waited;
    return 0;
}
#endif

#ifdef VARIANT_fentry
KRETFUNC_PROBE(__blk_throtl_bio, struct bio *bio, u64 result)
{
    return result & 0xff ? held_back(bio) : 0;
}

KFUNC_PROBE(submit_bio_noacct_nocheck, struct bio *bio)
{
    return let_through(bio);
}
#endif

#ifdef VARIANT_kprobe
BPF_HASH(asked, u32, u64); // by thread; bounded: by the threads inside __blk_throtl_bio()

int on_limit(struct pt_regs *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 bio = PT_REGS_PARM1(ctx);
    if (asked.update(&thread, &bio))
        map_full();
    return 0;
}

int on_limited(struct pt_regs *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 *found = asked.lookup(&thread);
    if (!found)
        return 0;
    struct bio *bio = (struct bio *)*found;
    asked.delete(&thread);
    return PT_REGS_RC(ctx) & 0xff ? held_back(bio) : 0;
}

int on_let_through(struct pt_regs *ctx)
{
    return let_through((struct bio *)PT_REGS_PARM1(ctx));
}
#endif

// ---------------------------------------------------------------- all requests

// Whether the kernel thread that lets through what was held back is at work here.
static bool by_throttler(void)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    if (!(READ(task, flags) & PF_WQ_WORKER))
        return false;
#ifdef HAS_task_struct__worker_private
    struct kthread *thread = READ(task, worker_private);
#else // before Linux 5.17
    struct kthread *thread = (struct kthread *)READ(task, set_child_tid);
#endif
    struct worker *worker = READ(thread, data);
    struct workqueue_struct *queue = READ(READ(worker, current_pwq), wq);
    char name[10] = {};
    bpf_probe_read_kernel(name, sizeof(name) - 1, &queue->name);
    const char wanted[10] = "kthrotld";
#pragma unroll
    for (int i = 0; i < 9; i++)
        if (name[i] != wanted[i])
            return false;
    return true;
}

int on_queued(struct bpf_raw_tracepoint_args *ctx)
{
    struct bio *bio = (struct bio *)ctx->args[0];
    if (!wanted_bio(bio))
        return 0;
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    bool throttled = by_throttler();
#ifndef VARIANT_raw
    if (throttled) // counted when it was let through
        return 0;
#endif
    struct use *use = use_of(bio, throttled ? UNKNOWN_PROCESS : tgid);
    if (!use)
        return 0;
    count(use, bio);
    if (throttled)
        __sync_fetch_and_add(&use->throttled, 1);
    return 0;
}
