#include "ebpftop.h"

// Times are boottime in ns. A process with several threads is described by its main thread, the group leader.
#define BORN 1
#define ENDED 2
#define RENAMED 3
#define ARGS_SIZE 256
#define PATH_SIZE 1024

struct life {
    u64 time;
    u64 start;
    u32 tgid;
    u32 ppid;
    u32 uid;
    u32 type;
    u64 cgroup;
    u32 hierarchy; // that of the cgroup, 0 is version 2
    u32 nspid;
    char comm[COMM_SIZE];
    char parent_comm[COMM_SIZE];
};
// The collector drains both rings four times a second, and once they fill. 88 bytes with its header: 12,000 a MiB.
BPF_RINGBUF_OUTPUT(lives, 256);

struct exec {
    u64 time;
    u64 start;
    u32 tgid;
    u32 ppid;
    u32 uid;
    u32 hierarchy;
    u64 cgroup;
    char comm[COMM_SIZE];
    char parent_comm[COMM_SIZE];
    u32 args_len;
    u32 nspid;
    char args[ARGS_SIZE]; // as in the process's memory: each terminated by NUL
};
// At most 352 bytes with its header: 3,000 a MiB.
BPF_RINGBUF_OUTPUT(execs, 512);

// A cgroup that begins or gets another path; the kernel itself cuts a path after 1,023 bytes.
struct group {
    u64 id;
    u32 hierarchy;
    u32 unused;
    char path[PATH_SIZE];
};
BPF_RINGBUF_OUTPUT(groups, 64);

// The cgroup that says most of a process: that of version 2; of who is in its root, the deepest one of version 1, of
// several the one whose hierarchy is older.
static struct cgroup *cgroup_of(struct task_struct *task)
{
    struct css_set *set = READ(task, cgroups);
    struct cgroup *found = READ(set, dfl_cgrp);
    int level = READ(found, level), hierarchy = 0;
    if (level)
        return found;
    for (int i = 0; i < CGROUP_SUBSYS_COUNT; i++) {
        struct cgroup *other = READ(READ(set, subsys[i]), cgroup);
        int at = READ(other, level), number = READ(READ(other, root), hierarchy_id);
        if (at > level || (level && at == level && number < hierarchy)) {
            found = other;
            level = at;
            hierarchy = number;
        }
    }
    return found;
}

// The pid of a process in its own pid namespace; its tgid where that is the initial one.
static u32 nspid_of(struct task_struct *leader)
{
    struct pid *pid = READ(leader, thread_pid);
    u32 level = READ(pid, level);
    return READ(pid, numbers[level].nr);
}

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
    struct cgroup *cgroup = cgroup_of(leader);
    life->cgroup = READ(READ(cgroup, kn), id);
    life->hierarchy = READ(READ(cgroup, root), hierarchy_id);
    life->nspid = nspid_of(leader);
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
    exec->nspid = nspid_of(task);
    struct cgroup *cgroup = cgroup_of(task);
    exec->cgroup = READ(READ(cgroup, kn), id);
    exec->hierarchy = READ(READ(cgroup, root), hierarchy_id);
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

// A container's first process is moved into its cgroup before it executes the container's program.
int on_attach(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx->args[2];
    if (READ(task, pid) == READ(task, tgid))
        report_life(task, RENAMED, NULL);
    return 0;
}

int on_group(struct bpf_raw_tracepoint_args *ctx)
{
    struct cgroup *cgroup = (struct cgroup *)ctx->args[0];
    struct group *group = groups.ringbuf_reserve(sizeof(struct group));
    if (!group) {
        ring_full();
        return 0;
    }
    group->id = READ(READ(cgroup, kn), id);
    group->hierarchy = READ(READ(cgroup, root), hierarchy_id);
    group->unused = 0;
    bpf_probe_read_kernel_str(group->path, sizeof(group->path), (void *)ctx->args[1]);
    groups.ringbuf_submit(group, BPF_RB_FORCE_WAKEUP); // a run may be limited to it, and waits
    return 0;
}
