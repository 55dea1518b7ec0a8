// For every probe: reading kernel memory, histogram slots, filters. BCC doesn't rewrite this file, as it is found by -I:
// nothing here touches a map, and kernel memory is read only through READ().
#pragma once

// The value of a scalar field of a kernel struct: READ(task, tgid). It nests: READ(READ(task, real_parent), tgid). The
// cast removes const from the type; the value is 0 if the memory can't be read.
#define READ(p, field)                                                                                                 \
    ({                                                                                                                 \
        __typeof__((__typeof__((p)->field))0) value_;                                                                  \
        bpf_probe_read_kernel(&value_, sizeof(value_), (const void *)&(p)->field);                                     \
        value_;                                                                                                        \
    })

// ---------------------------------------------------------------- log-linear histograms

#define LL_BITS 3    // 2^3 slots per power of two: a slot's width is at most an eighth of its lower bound
#define LL_SLOTS 496 // slots for all 64-bit values

// The slot of a value: values up to 15 have their own, then each power of two has 8 slots. Only shifts and subtractions,
// because the verifier would follow both sides of every branch.
static inline __attribute__((always_inline)) u32 ll_slot(u64 value)
{
    u64 rest = value | 1 << LL_BITS; // below 8 the slot is the value, as if the exponent were LL_BITS
    u32 exponent = 0, step;          // of the highest bit set, by bisection

    step = (0x7fffffffULL - (rest >> 1)) >> 63 << 5; // 32 if there is a bit above the low 32, else 0
    rest >>= step;
    exponent += step;
    step = (0xffffULL - rest) >> 63 << 4;
    rest >>= step;
    exponent += step;
    step = (0xffULL - rest) >> 63 << 3;
    rest >>= step;
    exponent += step;
    step = (0xfULL - rest) >> 63 << 2;
    rest >>= step;
    exponent += step;
    step = (0x3ULL - rest) >> 63 << 1;
    rest >>= step;
    exponent += step + (rest >> 1);

    u32 shift = exponent - LL_BITS;
    return (shift << LL_BITS) + (value >> shift);
}

// ---------------------------------------------------------------- filters
//
// By a probe's parameters pid, comm, cgroup, container, pod and unit; nothing is compiled for a parameter that isn't set.
// pid: the process (tgid). comm: the thread's own name, which may differ from its process's. cgroup: the thread is in
// this cgroup (version 2) or below it. container, pod, unit (BY_GROUP): it is in a cgroup of theirs or below one.

#define COMM_SIZE 16
#define CGROUP_DEPTH 24 // levels checked, from the thread's own upwards

#ifdef PARAM_comm
static inline __attribute__((always_inline)) int wanted_comm(const char *comm)
{
    const char wanted[COMM_SIZE] = PARAM_comm;
#pragma unroll
    for (int i = 0; i < COMM_SIZE; i++) {
        if (comm[i] != wanted[i])
            return 0;
        if (!wanted[i])
            break;
    }
    return 1;
}
#endif

#if defined(PARAM_cgroup) || defined(BY_GROUP)
static inline __attribute__((always_inline)) struct kernfs_node *parent_of(struct kernfs_node *node)
{
#ifdef HAS_kernfs_node____parent
    return READ(node, __parent);
#else
    return READ(node, parent);
#endif
}
#endif

#ifdef BY_GROUP
static int wanted_group(struct task_struct *task); // in ebpftop_maps.h
#endif

#ifdef PARAM_cgroup
static inline __attribute__((always_inline)) int wanted_cgroup(struct task_struct *task)
{
    struct kernfs_node *node = READ(READ(READ(task, cgroups), dfl_cgrp), kn);
    for (int level = 0; level < CGROUP_DEPTH && node; level++) {
        if (READ(node, id) == PARAM_cgroup)
            return 1;
        node = parent_of(node);
    }
    return 0;
}
#endif

#define UNKNOWN_PROCESS 0xffffffffU // in place of a process id that the kernel doesn't know

// Whether the filters select this thread.
static inline __attribute__((always_inline)) int wanted_task(struct task_struct *task)
{
#ifdef PARAM_pid
    if (READ(task, tgid) != PARAM_pid)
        return 0;
#endif
#ifdef PARAM_comm
    char comm[COMM_SIZE];
    bpf_probe_read_kernel(comm, sizeof(comm), &task->comm);
    if (!wanted_comm(comm))
        return 0;
#endif
#ifdef PARAM_cgroup
    if (!wanted_cgroup(task))
        return 0;
#endif
#ifdef BY_GROUP
    if (!wanted_group(task))
        return 0;
#endif
    return 1;
}

// Whether they select the current thread.
static inline __attribute__((always_inline)) int wanted_current(void)
{
#ifdef PARAM_pid
    if (bpf_get_current_pid_tgid() >> 32 != PARAM_pid)
        return 0;
#endif
#ifdef PARAM_comm
    char comm[COMM_SIZE];
    bpf_get_current_comm(comm, sizeof(comm));
    if (!wanted_comm(comm))
        return 0;
#endif
#ifdef PARAM_cgroup
    if (!wanted_cgroup((struct task_struct *)bpf_get_current_task()))
        return 0;
#endif
#ifdef BY_GROUP
    if (!wanted_group((struct task_struct *)bpf_get_current_task()))
        return 0;
#endif
    return 1;
}
