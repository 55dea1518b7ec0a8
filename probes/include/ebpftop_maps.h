// Functions that touch maps. This text is spliced in front of a probe's own, because BCC rewrites map calls only there.

BPF_PERCPU_ARRAY(_failures, u64, 4);

static void count_failure(u32 slot)
{
    u64 *count = _failures.lookup(&slot);
    if (count)
        __sync_fetch_and_add(count, 1);
}

// A map had no room for a new key: its update was lost.
static void map_full(void)
{
    count_failure(0);
}

// A ring buffer had no room: an event was lost.
static void ring_full(void)
{
    count_failure(1);
}

BPF_PERCPU_ARRAY(_unread, u32, 1);

#define WAKE_UP_BYTES (128 << 10) // of one CPU

// The size of a record that ends with its last field's text: where that begins, and what the helper that read it returned.
static u64 up_to(u64 start, long length)
{
    return length < 0 ? start : start + length;
}

// The flags to submit a record of `size` bytes with. The reader comes by now and then; who writes much wakes it up, so that
// it can look whether a ring fills.
static u64 wake_up(u64 size)
{
    u32 only = 0, *unread = _unread.lookup(&only);
    if (!unread)
        return BPF_RB_NO_WAKEUP;
    *unread += size;
    if (*unread < WAKE_UP_BYTES)
        return BPF_RB_NO_WAKEUP;
    *unread = 0;
    return BPF_RB_FORCE_WAKEUP;
}

#ifdef BY_GROUP
// The cgroups of the containers, pods and units that the parameters name, by id; the collector puts in those that there
// are, and those that begin later. All are of one hierarchy: under the key 0 stands 0 for version 2, else the number of a
// subsystem of it plus 1.
BPF_HASH(_groups, u64, u32, 4096);

static inline __attribute__((always_inline)) int wanted_group(struct task_struct *task)
{
    u64 id = 0;
    u32 *subsystem = _groups.lookup(&id);
    if (!subsystem)
        return 0;
    struct css_set *set = READ(task, cgroups);
    struct cgroup *group;
    if (!*subsystem)
        group = READ(set, dfl_cgrp);
    else if (*subsystem <= CGROUP_SUBSYS_COUNT)
        group = READ(READ(set, subsys[*subsystem - 1]), cgroup);
    else
        return 0;
    struct kernfs_node *node = READ(group, kn);
    for (int level = 0; level < CGROUP_DEPTH && node; level++) {
        id = READ(node, id);
        if (_groups.lookup(&id))
            return 1;
        node = parent_of(node);
    }
    return 0;
}
#endif
