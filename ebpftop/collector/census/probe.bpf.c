#include "ebpftop.h"

// Times are boottime in ns. A process with several threads is described by its main thread, the group leader.
#define BORN 1
#define ENDED 2
#define RENAMED 3
#define ARGS_SIZE 256

struct life {
    u64 time;
    u64 start;
    u32 tgid;
    u32 ppid;
    u32 uid;
    u32 type;
    u64 cgroup; // of version 2
    char comm[COMM_SIZE];
    char parent_comm[COMM_SIZE];
};
// The collector drains both rings four times a second, and once they fill. 80 bytes with its header: 13,000 a MiB.
BPF_RINGBUF_OUTPUT(lives, 256);

struct exec {
    u64 time;
    u64 start;
    u32 tgid;
    u32 ppid;
    u32 uid;
    u32 unused;
    u64 cgroup;
    char comm[COMM_SIZE];
    char parent_comm[COMM_SIZE];
    u32 args_len;
    u32 unused_too;
    char args[ARGS_SIZE]; // as in the process's memory: each terminated by NUL
};
// At most 352 bytes with its header: 3,000 a MiB.
BPF_RINGBUF_OUTPUT(execs, 512);

static void report_life(struct task_struct *task, u32 type, const char *comm)
{
    struct task_struct *leader = READ(task, group_leader);
    struct task_struct *parent = READ(leader, real_parent);
    struct life *life = lives.ringbuf_reserve(sizeof(struct life));
    if (!life) {
        ring_full();
        return;
    }
    life->time = bpf_ktime_get_boot_ns();
    life->start = READ(leader, start_boottime);
    life->tgid = READ(leader, tgid);
    life->ppid = READ(parent, tgid);
    life->uid = READ(READ(leader, cred), euid.val);
    life->type = type;
    life->cgroup = READ(READ(READ(READ(leader, cgroups), dfl_cgrp), kn), id);
    bpf_probe_read_kernel(life->parent_comm, sizeof(life->parent_comm), &parent->comm);
    bpf_probe_read_kernel(life->comm, sizeof(life->comm), &leader->comm);
    if (comm)
        bpf_probe_read_kernel_str(life->comm, sizeof(life->comm), comm);
    lives.ringbuf_submit(life, wake_up(sizeof(*life)));
}

int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *child = (struct task_struct *)ctx->args[1];
    if (READ(child, pid) == READ(child, tgid)) // a process, not a thread
        report_life(child, BORN, NULL);
    return 0;
}

// Runs before the name changes, in an exec or by the process itself.
int on_rename(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    if (READ(task, pid) == READ(task, tgid))
        report_life(task, RENAMED, (const char *)ctx->args[1]);
    return 0;
}

int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    struct signal_struct *signal = READ(task, signal);
    if (!READ(signal, live.counter)) // the last thread exits
        report_life(task, ENDED, NULL);
    return 0;
}

int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx->args[0]; // the leader, whichever thread called execve
    struct task_struct *parent = READ(task, real_parent);
    struct mm_struct *mm = READ(task, mm);
    struct exec *exec = execs.ringbuf_reserve(sizeof(struct exec));
    if (!exec) {
        ring_full();
        return 0;
    }
    exec->time = bpf_ktime_get_boot_ns();
    exec->start = READ(task, start_boottime);
    exec->tgid = READ(task, tgid);
    exec->ppid = READ(parent, tgid);
    exec->uid = READ(READ(task, cred), euid.val);
    exec->unused = exec->unused_too = 0;
    exec->cgroup = READ(READ(READ(READ(task, cgroups), dfl_cgrp), kn), id);
    bpf_probe_read_kernel(exec->comm, sizeof(exec->comm), &task->comm);
    bpf_probe_read_kernel(exec->parent_comm, sizeof(exec->parent_comm), &parent->comm);
    u64 start = READ(mm, arg_start);
    u64 size = READ(mm, arg_end) - start;
    if (size > ARGS_SIZE)
        size = ARGS_SIZE;
    if (bpf_probe_read_user(exec->args, size, (void *)start))
        size = 0;
    exec->args_len = size;
    execs.ringbuf_submit(exec, wake_up(sizeof(*exec)));
    return 0;
}
