#include "ebpftop.h"

struct event {
    u64 time;
    u32 tgid;
    u32 user;
    u32 call;
    u32 namespaces; // CLONE_NEW*
    u32 child;      // that lives in the new ones, of clone(2) alone
    s32 result;     // 0, or a negative errno
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 256);

struct asked {
    u32 call;
    u32 namespaces;
};
BPF_HASH(asking, u32, struct asked); // bounded: by the threads inside one of these calls

// CLONE_NEW*, linux/sched.h: time, mnt, cgroup, uts, ipc, user, pid, net
#define NAMESPACES (0x80 | 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000)

static void report(u32 call, u32 namespaces, u32 child, s32 result)
{
#ifdef PARAM_failed
    if (!result)
        return;
#endif
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->user = bpf_get_current_uid_gid();
    event->call = call;
    event->namespaces = namespaces;
    event->child = child;
    event->result = result;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

static void remember(u32 call, u32 namespaces)
{
    if (!wanted_current())
        return;
    u32 thread = bpf_get_current_pid_tgid();
    struct asked asked = {.call = call, .namespaces = namespaces};
    if (asking.update(&thread, &asked))
        map_full();
}

int on_unshare(struct tracepoint__syscalls__sys_enter_unshare *args)
{
    u32 namespaces = args->unshare_flags & NAMESPACES;
    if (namespaces) // else it is about files or the like
        remember(args->__syscall_nr, namespaces);
    return 0;
}

// What kind of namespace a descriptor is of, 0 if of none.
static u32 kind_of(u32 descriptor)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct fdtable *table = READ(READ(task, files), fdt);
    if (descriptor >= READ(table, max_fds))
        return 0;
    struct file *file = NULL;
    bpf_probe_read_kernel(&file, sizeof(file), READ(table, fd) + descriptor);
    struct ns_common *ns = READ(READ(file, f_inode), i_private);
#ifdef HAS_ns_common__ns_type
    return READ(ns, ns_type) & NAMESPACES;
#else
    return READ(READ(ns, ops), type) & NAMESPACES;
#endif
}

int on_setns(struct tracepoint__syscalls__sys_enter_setns *args)
{
    u32 namespaces = args->flags; // 0: whatever the descriptor is of
    remember(args->__syscall_nr, namespaces ? namespaces & NAMESPACES : kind_of(args->fd));
    return 0;
}

int on_return(struct tracepoint__syscalls__sys_exit_unshare *args)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct asked *found = asking.lookup(&thread);
    if (!found)
        return 0;
    struct asked asked = *found;
    asking.delete(&thread);
    report(asked.call, asked.namespaces, 0, args->ret);
    return 0;
}

int on_newtask(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *child = (struct task_struct *)ctx->args[0];
    u32 namespaces = ctx->args[1] & NAMESPACES;
    if (namespaces && wanted_current())
        report(current_syscall(), namespaces, READ(child, tgid), 0);
    return 0;
}
