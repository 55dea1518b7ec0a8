// What every probe may use: reading kernel memory, histogram slots, filters. BCC doesn't rewrite this file, as it is
// found by -I: nothing here touches a map, and kernel memory is read through READ() only.
#pragma once

// The value of a scalar field of a kernel struct: READ(task, tgid); nests: READ(READ(task, real_parent), tgid). The cast
// rids the type of a const; the helper clears what it can't read.
#define READ(p, field)                                                                                                 \
    ({                                                                                                                 \
        __typeof__((__typeof__((p)->field))0) value_;                                                                  \
        bpf_probe_read_kernel(&value_, sizeof(value_), (const void *)&(p)->field);                                     \
        value_;                                                                                                        \
    })

// The number of the system call that the running thread is in. Pointers from these two helpers are known to the verifier,
// so what they point to is read by a plain load, which costs a fraction of what READ() does.
static inline __attribute__((always_inline)) u32 current_syscall(void)
{
    struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
#ifdef HAS_pt_regs__orig_ax
    u32 number = regs->orig_ax;
    return number == -1U ? 15 : number; // rt_sigreturn leaves the registers of what was interrupted
#else
    return regs->syscallno;
#endif
}

// ---------------------------------------------------------------- log-linear histograms

#define LL_BITS 3    // 2^3 slots to a power of two: a slot is at most an eighth of its lower bound wide
#define LL_SLOTS 496 // slots of all 64-bit values

// The slot of a value: values up to 15 have their own, then come 8 slots for each power of two. Shifts and subtractions
// only, as the verifier would walk both sides of every branch.
static inline __attribute__((always_inline)) u32 ll_slot(u64 value)
{
    u64 rest = value | 1 << LL_BITS; // below 8 the slot is the value, as if the exponent were LL_BITS
    u32 exponent = 0, step;          // of the highest bit set, found by halving

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
// What the parameters pid, comm and cgroup of a probe ask for. Of a parameter that isn't set nothing is compiled.
// pid: the process (tgid). comm: the name of the thread itself, which need not be that of its process. cgroup: the thread
// is in this control group (version 2) or below it.

#define COMM_SIZE 16
#define CGROUP_DEPTH 24 // levels that are looked at from the thread's own upwards

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

#ifdef PARAM_cgroup
static inline __attribute__((always_inline)) struct kernfs_node *parent_of(struct kernfs_node *node)
{
#ifdef HAS_kernfs_node____parent
    return READ(node, __parent);
#else
    return READ(node, parent);
#endif
}

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

#define UNKNOWN_PROCESS 0xffffffffU // in place of a process's id where the kernel doesn't tell it

// Whether the filters want this thread.
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
    return 1;
}

// Whether they want the thread that runs on this CPU.
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
    return 1;
}
