#include "ebpftop.h"
#include "ebpftop_file.h"

#define OUTCOME_SIZE 8

struct use {
    u64 lookups;
    u64 misses;
    u64 absent;
};
BPF_HASH(processes, u32, struct use); // by process

struct event {
    u64 time;
    u32 tgid;
    char outcome[OUTCOME_SIZE];
    char name[NAME_SIZE];
    char folder[NAME_SIZE];
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 4096);

// Of one path component.
struct lookup {
    struct qstr *name; // not terminated by NUL: the rest of the path may follow
    struct dentry *folder;
};

static void report(struct lookup *lookup, const char *outcome)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    __builtin_memcpy(event->outcome, outcome, sizeof(event->outcome));
    __builtin_memset(event->name, 0, sizeof(event->name));
    u32 length = READ(lookup->name, len);
    if (length > NAME_SIZE - 1)
        length = NAME_SIZE - 1;
    bpf_probe_read_kernel(event->name, length & (NAME_SIZE - 1), READ(lookup->name, name));
    bpf_probe_read_kernel_str(event->folder, sizeof(event->folder), READ(lookup->folder, d_name.name));
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

// `found`: the dentry, 0, or a negative errno.
static int looked_up(struct lookup *lookup, u64 found)
{
    if (found >= (u64)-MAX_ERRNO) // neither hit nor miss: the entry is stale, say, or the walk restarts
        return 0;
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    struct use zero = {};
    struct use *use = processes.lookup_or_try_init(&tgid, &zero);
    if (!use)
        map_full();
    bool absent = found && !READ((struct dentry *)found, d_inode);
    if (use) {
        __sync_fetch_and_add(&use->lookups, 1);
        if (!found)
            __sync_fetch_and_add(&use->misses, 1);
        if (absent)
            __sync_fetch_and_add(&use->absent, 1);
    }
    const char missed[OUTCOME_SIZE] = "missed";
    if (!found)
        report(lookup, missed);
#ifdef PARAM_all
    const char there[OUTCOME_SIZE] = "found", nothing[OUTCOME_SIZE] = "absent";
    if (absent)
        report(lookup, nothing);
    else if (found)
        report(lookup, there);
#endif
    return 0;
}

#ifdef VARIANT_fexit
// Before Linux 6.0 this function has two more arguments.
#ifdef HAS_nameidata__next_seq
KRETFUNC_PROBE(lookup_fast, struct nameidata *walk, struct dentry *found)
#else
KRETFUNC_PROBE(lookup_fast, struct nameidata *walk, struct inode **inode, unsigned int *sequence, struct dentry *found)
#endif
{
    if (!wanted_current())
        return 0;
    struct lookup lookup = {.name = &walk->last, .folder = READ(walk, path.dentry)};
    return looked_up(&lookup, (u64)found);
}

KRETFUNC_PROBE(lookup_dcache, struct qstr *name, struct dentry *folder, unsigned int flags, struct dentry *found)
{
    if (!wanted_current())
        return 0;
    struct lookup lookup = {.name = name, .folder = folder};
    return looked_up(&lookup, (u64)found);
}
#endif

#ifdef VARIANT_kprobe
BPF_HASH(looking, u32, struct lookup); // by thread; bounded: by the threads inside a lookup

static int begin(struct qstr *name, struct dentry *folder)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct lookup lookup = {.name = name, .folder = folder};
    if (looking.update(&thread, &lookup))
        map_full();
    return 0;
}

int on_walk(struct pt_regs *ctx)
{
    if (!wanted_current())
        return 0;
    struct nameidata *walk = (struct nameidata *)PT_REGS_PARM1(ctx);
    u64 name = (u64)walk + offsetof(struct nameidata, last);
    return begin((struct qstr *)name, READ(walk, path.dentry));
}

int on_name(struct pt_regs *ctx)
{
    if (!wanted_current())
        return 0;
    return begin((struct qstr *)PT_REGS_PARM1(ctx), (struct dentry *)PT_REGS_PARM2(ctx));
}

int on_return(struct pt_regs *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct lookup *found = looking.lookup(&thread);
    if (!found)
        return 0;
    struct lookup lookup = *found;
    looking.delete(&thread);
    return looked_up(&lookup, PT_REGS_RC(ctx));
}
#endif
